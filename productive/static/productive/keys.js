// Keys for the rows of a list, and the dialog that lists all keys.
"use strict";
{
  const ROWS = "#result_list tbody input.action-select";
  const FIELDS = "textarea, select, [contenteditable], [role=combobox], input:not(.action-select)";

  const dialog = () => document.getElementById("keys");
  const rows = () => [...document.querySelectorAll(ROWS)];
  const currentRow = () => document.activeElement?.closest("#result_list tbody tr")?.querySelector("input.action-select");

  function move(step) {
    const all = rows();
    const index = all.indexOf(currentRow());
    const next = all[index < 0 ? (step > 0 ? 0 : all.length - 1) : index + step];
    next?.focus();
    next?.closest("tr").scrollIntoView({ block: "nearest" });
    return Boolean(next);
  }

  const open = () => currentRow()?.closest("tr").querySelector("a[href]")?.click();

  function focusActions() {
    const actions = document.querySelector("#changelist-actions select[name=action]");
    actions?.focus();
    return Boolean(actions?.checkVisibility());
  }

  function toggle() {
    currentRow()?.click();
    return Boolean(currentRow());
  }

  // Return whether the key has been handled.
  function handle(key) {
    const isInRow = Boolean(currentRow());
    switch (key) {
      case "?":
        dialog()?.showModal();
        return Boolean(dialog());
      case "j":
        return move(1);
      case "k":
        return move(-1);
      case "ArrowDown":
        return isInRow && move(1);
      case "ArrowUp":
        return isInRow && move(-1);
      case "x":
        return toggle();
      case "a":
        return focusActions();
      case "Enter":
        // In a checkbox, Enter would run the action.
        if (document.activeElement === currentRow()) {
          open();
          return isInRow;
        }
    }
    return false;
  }

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.(FIELDS);
    const isOpen = document.querySelector("dialog[open], [role=dialog][aria-modal]:not([style*='display: none'])");
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || isTyping || isOpen) {
      return;
    }
    if (handle(event.key)) {
      event.preventDefault();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-opens=keys]")) {
      dialog()?.showModal();
    }
    const skip = event.target.closest("a.skip-link");
    if (skip) {
      // Without the fragment, which the theme reads as the name of a tab.
      event.preventDefault();
      const content = document.getElementById("content");
      content.tabIndex = -1;
      content.focus();
    }
  });
}
