// Keeps what was typed into a form: warns before leaving it, and restores a form that was sent without effect.
//
// A form is sent without effect if the session has ended, or its CSRF token: the response is the sign-in page or
// an error. And a page that is the response to a POST can't be shown again after Back: browsers ask to send the
// form again. In these cases this script sends the form again, to a step that shows it and writes nothing.
// Without it, the browser asks, and what was typed before the sign-in page is lost.
//
// The fields are in the session storage, which other tabs and other sites can't read. Forms with a password or
// a file are never kept, nor those of another user. Only the page that a form came from restores it.
"use strict";
{
  const LAST = "forms.last", SHOWN = "forms.shown.";
  const MAX_LENGTH = 1_000_000, MAX_SHOWN = 10;
  // Milliseconds in which a second click is ignored.
  const DOUBLE_CLICK = 3000;
  const LEFT_OUT = ["csrfmiddlewaretoken", "digest", "_preview", "step"];
  const sent = new WeakMap();

  // The page without its fragment, which the theme uses for tabs.
  const here = () => location.href.split("#")[0];
  const user = () => document.querySelector("[data-user]")?.dataset.user;
  const marker = (form) => form.querySelector("[data-restore]");

  function read(key) {
    try {
      return JSON.parse(sessionStorage.getItem(key));
    } catch {
      return null;
    }
  }

  function write(key, entry) {
    const text = JSON.stringify(entry);
    try {
      if (text.length <= MAX_LENGTH) {
        sessionStorage.setItem(key, text);
      }
    } catch {
      // The storage is full or switched off. The browser asks, as it does without this script.
    }
  }

  const storedKeys = (start) => Object.keys(sessionStorage).filter((key) => key.startsWith(start)).sort();

  // Return the form as it will be sent again, or null.
  function entryOf(form, submitter) {
    const mark = marker(form);
    const isList = form.id === "changelist-form";
    const isSecret = form.querySelector("input[type=password]");
    if (!user() || (!mark && !isList) || isSecret || form.querySelector("input[type=file]")) {
      return null;
    }
    const fields = [...new FormData(form, submitter)].filter(([name]) => !LEFT_OUT.includes(name));
    if (mark?.dataset.restore) {
      fields.push(["step", mark.dataset.restore]);
    }
    return { user: user(), page: here(), action: form.getAttribute("action") || here(), fields };
  }

  function sendAgain(entry) {
    const form = document.createElement("form");
    const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
    if (!token || new URL(entry.action, location.href).origin !== location.origin) {
      return;
    }
    form.method = "post";
    form.action = entry.action;
    form.hidden = true;
    for (const [name, value] of [["csrfmiddlewaretoken", token], ...entry.fields]) {
      const field = document.createElement("input");
      [field.type, field.name, field.value] = ["hidden", name, value];
      form.append(field);
    }
    document.body.append(form);
    // Not form.submit(): a field can have this name.
    HTMLFormElement.prototype.submit.call(form);
  }

  // --- Leaving ---

  const content = (form) => JSON.stringify([...new FormData(form)].filter(([, value]) => typeof value === "string"));

  function warnBeforeLeaving(form) {
    // A form that was sent has something unsaved, even if nothing is typed from now on.
    const isUnsaved = "posted" in marker(form).dataset;
    let saved = content(form), isTyped = false;
    form.addEventListener("input", () => (isTyped = true));
    window.addEventListener("load", () => {
      // The widgets are complete only now.
      saved = isTyped ? saved : content(form);
    });
    window.addEventListener("beforeunload", (event) => {
      if (!sent.has(form) && (isUnsaved || content(form) !== saved)) {
        event.preventDefault();
      }
    });
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") {
      return;
    }
    if (marker(form) && event.timeStamp - (sent.get(form) ?? -Infinity) < DOUBLE_CLICK) {
      event.preventDefault();
      return;
    }
    sent.set(form, event.timeStamp);
    const entry = entryOf(form, event.submitter);
    if (entry) {
      write(LAST, entry);
    }
  });

  window.addEventListener("pageshow", (event) => {
    // After Back, the form can be sent again.
    if (event.persisted) {
      document.querySelectorAll("form").forEach((form) => sent.delete(form));
    }
  });

  // --- Restoring ---

  function isMine(entry) {
    return entry?.user === user() && entry.page === here();
  }

  // Let Back return to this page, although it is the response to a POST.
  function keepPage(form) {
    const key = `${SHOWN}${Date.now()}`;
    // This also makes the browser load the page with GET after Back.
    history.replaceState({ ...history.state, form: key }, "");
    for (const old of storedKeys(SHOWN).slice(0, -MAX_SHOWN)) {
      sessionStorage.removeItem(old);
    }
    const keep = () => {
      const entry = entryOf(form);
      if (entry) {
        write(key, entry);
      }
    };
    keep();
    window.addEventListener("pagehide", keep);
  }

  function restore() {
    const last = read(LAST);
    if (document.querySelector("[data-expired]")) {
      // The response to a form without a valid CSRF token, with a link to its page.
      if (last) {
        write(LAST, { ...last, isInterrupted: true });
      }
      return;
    }
    const signIn = document.getElementById("login-form");
    if (signIn) {
      // The sign-in page leads to the page of the form.
      const next = new URLSearchParams(location.search).get("next");
      if (last && next && new URL(next, location.href).href === last.page) {
        write(LAST, { ...last, isInterrupted: true });
      } else {
        sessionStorage.removeItem(LAST);
      }
      return;
    }
    if (!user()) {
      return;
    }
    for (const key of storedKeys("forms.")) {
      if (key === LAST || read(key)?.user !== user()) {
        sessionStorage.removeItem(key);
      }
    }
    const posted = document.querySelector("[data-restore][data-posted]")?.form;
    if (posted) {
      keepPage(posted);
    } else if (last?.isInterrupted && isMine(last)) {
      sendAgain(last);
    } else if (history.state?.form && isReturn()) {
      const entry = read(history.state.form);
      history.replaceState({ ...history.state, form: undefined }, "");
      if (isMine(entry)) {
        sendAgain(entry);
      }
    }
  }

  // After Back, Forward or a reload; a link to the same page keeps the state of the history, too.
  const isReturn = () => performance.getEntriesByType("navigation")[0]?.type !== "navigate";

  // After Back, browsers restore what was typed in a form. It must be compared with what the form showed then,
  // not with what it shows now.
  function keepShownValues() {
    const shown = document.getElementsByName("_shown")[0];
    if (shown && isReturn() && history.state?.shown) {
      shown.value = history.state.shown;
    } else if (shown) {
      history.replaceState({ ...history.state, shown: shown.value }, "");
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    keepShownValues();
    const form = document.querySelector("[data-warn]")?.form;
    if (form) {
      warnBeforeLeaving(form);
    }
    restore();
  });
}
