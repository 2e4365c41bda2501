// Makes the theme accessible by screen reader and keyboard: labels for fields without one, keyboard handlers
// for elements that only react to clicks, and a main landmark.
"use strict";
{
  const FIELDS = "input:not([type=hidden]):not([type=submit]), select, textarea";
  // Elements that react to clicks, but aren't buttons.
  const CLICKED = ":is(a:not([href]), span, div.cursor-pointer)[x-on\\:click]";
  // Labels, and ids of the controlled elements, by the Alpine state that a click changes.
  const NAMES = { sidebarDesktopOpen: "Menu", sidebarMobileOpen: "Menu", openRelatedWidgetWrapper: "More" };
  const LAYERS = { sidebarMobileOpen: "nav-sidebar", filterOpen: "changelist-filter" };
  const REACHABLE = `:is(${FIELDS}, a[href], button, [role=button], [role=combobox]):not([tabindex="-1"])`;
  const processed = new WeakSet();
  let opener = null;

  // Return the heading of the column, for a field of an inline.
  function columnOf(element) {
    return element.closest("td[data-label]")?.dataset.label;
  }

  function nameField(field) {
    if (!field.labels?.length && !field.hasAttribute("aria-label") && columnOf(field)) {
      field.setAttribute("aria-label", columnOf(field));
    }
  }

  // Select2 labels its boxes with the selected choices only, so an empty box has no label.
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
    // The control of a new inline form is a copy that has the attributes already. Setting them again would
    // make Alpine evaluate them before their state exists.
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

  // Focus a layer when it opens, and the control that opened it when it closes.
  function moveFocus(control) {
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
      // Wait until the theme has rendered the layer.
      requestAnimationFrame(() => requestAnimationFrame(() => moveFocus(event.target)));
    } else if (event.key === "Escape" && layerOf(opener)?.contains(event.target)) {
      opener.focus();
    }
  });

  // The browser ignores `autofocus` if the theme hasn't shown the element yet.
  window.addEventListener("load", () => {
    if (document.activeElement === document.body) {
      document.querySelector(":is(button, [type=radio])[autofocus]")?.focus({ preventScroll: true });
    }
  });

  // Call the function once for each element that matches, including elements added later.
  function once(selector, callback) {
    for (const element of document.querySelectorAll(selector)) {
      if (!processed.has(element)) {
        processed.add(element);
        callback(element);
      }
    }
  }

  // Clear the search text after each choice, so that the next name can be typed at once.
  function clearSearch(event) {
    const field = event.target.nextElementSibling?.querySelector(".select2-search__field");
    if (event.target.multiple && field?.value) {
      field.value = "";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  // Match a pasted list of names by the form's text field, where the page has one.
  function pasteList(event) {
    const text = event.clipboardData.getData("text");
    const list = event.target.closest("form")?.elements.pasted;
    if (event.target.matches(".select2-search__field") && list && /[\n,;\t]/.test(text.trim())) {
      event.preventDefault();
      list.value = `${list.value}\n${text}`.trim();
      list.form.querySelector("button[name=step][value=match]").click();
    }
  }

  // Show the whole text of what a list cuts.
  document.addEventListener("mouseover", ({ target }) => {
    const cell = target.closest?.("#result_list .data-row > :is(td, th)");
    if (cell && cell.scrollWidth > cell.clientWidth) {
      cell.title = cell.textContent.trim().replace(/\s+/g, " ");
    }
  });

  document.addEventListener("paste", pasteList);
  document.addEventListener("DOMContentLoaded", () => {
    // Select2 triggers its events with jQuery.
    window.django?.jQuery?.(document).on("select2:select", clearSearch);
  });

  new MutationObserver(() => {
    once(CLICKED, makeButton);
    once(".material-symbols-outlined:not([x-on\\:click])", (icon) => icon.setAttribute("aria-hidden", "true"));
    once("#main, .login #page", (page) => page.setAttribute("role", "main"));
    once("#searchbar-submit", (button) => button.setAttribute("aria-label", "Search"));
    // The logo has the same link as the site name beside it.
    once("#nav-sidebar a:has(+ * #site-name)", (logo) => {
      logo.tabIndex = -1;
      logo.setAttribute("aria-hidden", "true");
    });
    // These regions have the same label, so they aren't useful as landmarks.
    once(".simplebar-content-wrapper[role=region]", (box) => box.setAttribute("role", "group"));
    once(`td[data-label] :is(${FIELDS})`, nameField);
    once("select + .select2-container", nameBox);
    once("form:has([name=pasted]) .select2-search__field", (field) => field.focus());
    once(".select2-dropdown [role=searchbox]", (field) => field.setAttribute("aria-label", "Search"));
    // Select2 sets aria-owns, as ARIA 1.0 did for a combobox; current ARIA uses aria-controls.
    once("[role=combobox][aria-owns]", (box) => box.setAttribute("aria-controls", box.getAttribute("aria-owns")));
    once(".selector .help-tooltip[aria-label]", (help) => help.setAttribute("role", "img"));
  }).observe(document, { childList: true, subtree: true });
}
