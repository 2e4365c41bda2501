// Mends the theme for those who hear the page instead of seeing it, and for those who have no mouse: names for
// fields that lack one, keys for what only a click could open, and a landmark to jump to.
"use strict";
{
  const FIELDS = "input:not([type=hidden]):not([type=submit]), select, textarea";
  // What opens something without being a button, by the state that its click changes.
  const CLICKED = ":is(a:not([href]), span, div.cursor-pointer)[x-on\\:click]";
  const NAMES = { sidebarDesktopOpen: "Menu", sidebarMobileOpen: "Menu", openRelatedWidgetWrapper: "More" };
  const LAYERS = { sidebarMobileOpen: "nav-sidebar", filterOpen: "changelist-filter" };
  const REACHABLE = `:is(${FIELDS}, a[href], button, [role=button], [role=combobox]):not([tabindex="-1"])`;
  const mended = new WeakSet();
  let opener = null;

  // A line's field stands in a column, which the cell knows.
  function columnOf(element) {
    return element.closest("td[data-label]")?.dataset.label;
  }

  function nameField(field) {
    if (!field.labels?.length && !field.hasAttribute("aria-label") && columnOf(field)) {
      field.setAttribute("aria-label", columnOf(field));
    }
  }

  // Select2 names its boxes after what was chosen in them, and empty ones not at all.
  function nameBox(container) {
    const select = container.previousElementSibling;
    const label = select.labels?.[0];
    if (label && !label.id) {
      label.id = `${select.id}_label`;
    }
    for (const box of container.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]")) {
      const chosen = box.matches("[role=combobox]") ? box.getAttribute("aria-labelledby") || "" : "";
      if (label) {
        box.setAttribute("aria-labelledby", `${label.id} ${chosen}`.trim());
      } else {
        box.setAttribute("aria-label", select.getAttribute("aria-label") || columnOf(select) || "Choose");
      }
    }
  }

  function makeButton(control) {
    const [, state] = control.getAttribute("x-on:click").match(/^(\w+) = /) || [];
    const name = NAMES[state] || control.title;
    const layer = LAYERS[state] || control.closest(".related-widget-wrapper")?.dataset.id;
    control.setAttribute("role", "button");
    control.tabIndex = 0;
    if (name) {
      control.setAttribute("aria-label", name);
    }
    if (layer) {
      control.setAttribute("aria-controls", layer);
    }
    // A new line's is a copy, which Alpine will read as a whole: given anew, it would be read before its state.
    if (/open/i.test(state) && !control.hasAttribute("x-bind:aria-expanded")) {
      control.setAttribute("x-bind:aria-expanded", state);
      if (layer) {
        control.setAttribute("x-on:keydown.escape.window", `${state} = false`);
      }
    }
  }

  function layerOf(control) {
    return document.getElementById(control?.getAttribute("aria-controls"));
  }

  // What lies over the page is entered when it opens, and left to where one came from.
  function follow(control) {
    if (control.getAttribute("aria-expanded") === "true" && layerOf(control)) {
      opener = control;
      [...layerOf(control).querySelectorAll(REACHABLE)].find((element) => element.checkVisibility())?.focus();
    } else if (!control.checkVisibility()) {
      opener?.focus();
    }
  }

  document.addEventListener("keydown", (event) => {
    if (["Enter", " "].includes(event.key) && event.target.matches?.(CLICKED)) {
      event.preventDefault();
      event.target.click();
      // The theme shows it in the next frame.
      requestAnimationFrame(() => requestAnimationFrame(() => follow(event.target)));
    } else if (event.key === "Escape" && layerOf(opener)?.contains(event.target)) {
      opener.focus();
    }
  });

  // Each is mended once: what is added later, such as a new line, is another element.
  function once(selector, mend) {
    for (const element of document.querySelectorAll(selector)) {
      if (!mended.has(element)) {
        mended.add(element);
        mend(element);
      }
    }
  }

  new MutationObserver(() => {
    once(CLICKED, makeButton);
    once(".material-symbols-outlined:not([x-on\\:click])", (icon) => icon.setAttribute("aria-hidden", "true"));
    once("#main, .login #page", (page) => page.setAttribute("role", "main"));
    once("#searchbar-submit", (button) => button.setAttribute("aria-label", "Search"));
    // The sign leads where the name beside it does: once is enough.
    once("a:has(+ * #site-name)", (sign) => {
      sign.tabIndex = -1;
      sign.setAttribute("aria-hidden", "true");
    });
    // All of them are called the same, so as landmarks they lead nowhere.
    once(".simplebar-content-wrapper[role=region]", (box) => box.setAttribute("role", "group"));
    once(`td[data-label] :is(${FIELDS})`, nameField);
    once("select + .select2-container", nameBox);
    once(".select2-dropdown [role=searchbox]", (field) => field.setAttribute("aria-label", "Search"));
    // Once opened, it tells of its list in the words of an older ARIA.
    once("[role=combobox][aria-owns]", (box) => box.setAttribute("aria-controls", box.getAttribute("aria-owns")));
    once(".selector .help-tooltip[aria-label]", (help) => help.setAttribute("role", "img"));
  }).observe(document, { childList: true, subtree: true });
}
