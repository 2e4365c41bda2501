// Gives names to fields that the theme leaves without one, for those who hear the page instead of seeing it.
"use strict";
{
  const FIELDS = "input:not([type=hidden]):not([type=submit]), select, textarea";
  const named = new WeakSet();

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

  // Each is named once: what is added later, such as a new line, is another element.
  function once(selector, name) {
    for (const element of document.querySelectorAll(selector)) {
      if (!named.has(element)) {
        named.add(element);
        name(element);
      }
    }
  }

  new MutationObserver(() => {
    once(`td[data-label] :is(${FIELDS})`, nameField);
    once("select + .select2-container", nameBox);
    once(".select2-dropdown [role=searchbox]", (field) => field.setAttribute("aria-label", "Search"));
    once(".selector .help-tooltip[aria-label]", (help) => help.setAttribute("role", "img"));
  }).observe(document, { childList: true, subtree: true });
}
