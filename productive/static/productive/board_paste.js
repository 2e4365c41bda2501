// The clipboard of the staffing board: copies blocks, pastes blocks, tables and names, and adds people as rows.
"use strict";

const CHECKED = /^(x|1|true|yes|y|✓|✔|☑|wahr|ja)$/i;
const UNCHECKED = /^(0|false|no|n|-|☐|falsch|nein|)$/i;

// The words of a name in alphabetical order: "Horvat, Ana" is Ana Horvat.
const normalized = (text) => text.normalize("NFC").toLowerCase().split(/[\s,;]+/).filter(Boolean).sort().join(" ");

class BoardClipboard {
  constructor(sheet) {
    this.sheet = sheet;
    this.board = sheet.board;
    this.messages = this.board.root.querySelector("#board-messages");
  }

  // --- Blocks ---

  copy(event) {
    const lines = new Map();
    for (const [row, column] of this.sheet.block()) {
      lines.set(row, [...(lines.get(row) ?? []), this.board.isAssigned(row, column) ? "x" : ""]);
    }
    event.clipboardData.setData("text/plain", [...lines.values()].map((line) => line.join("\t")).join("\n"));
    event.preventDefault();
    if (event.type === "cut") {
      this.sheet.assign(false);
    }
  }

  paste(text) {
    const lines = text.replace(/\r\n?/g, "\n").replace(/\n+$/, "").split("\n");
    const cells = lines.map((line) => line.split("\t").map((cell) => cell.trim()));
    const isMark = (cell) => CHECKED.test(cell) || UNCHECKED.test(cell);
    if (cells.every((line) => line.every(isMark))) {
      this.pasteBlock(cells);
    } else if (cells.some((line) => line.length > 2 || (line.length === 2 && isMark(line[1])))) {
      this.pasteTable(cells);
    } else {
      this.addPeople(text);
    }
  }

  // Paste marks at the focused cell. A single one fills the block.
  pasteBlock(lines) {
    const block = this.sheet.block(), isOne = lines.length === 1 && lines[0].length === 1;
    const [top, left] = block[0];
    const { rows, columns } = this.board;
    const marks = isOne
      ? block.map(([row, column]) => [row, column, CHECKED.test(lines[0][0])])
      : lines.flatMap((line, row) => line.map((cell, column) => [top + row, left + column, CHECKED.test(cell)]));
    const inside = marks.filter(([row, column]) => row < rows.length && column < columns.length);
    const outside = marks.length - inside.length;
    this.say(this.changed(this.board.stage(inside)), outside && `${outside} outside of the board.`);
  }

  // Paste people with their marks, as an export has them: names, perhaps addresses, a column for each title.
  async pasteTable(lines) {
    const titles = new Map(this.board.columns.map(({ label }, index) => [label.toLowerCase(), index]));
    const columnOf = (cell) => titles.get((cell ?? "").toLowerCase());
    const isTitled = lines[0].slice(1).some((cell) => columnOf(cell) !== undefined);
    const people = isTitled ? lines.slice(1) : lines;
    const hasAddresses = people.some((line) => line[1]?.includes("@"));
    const start = hasAddresses || (isTitled && columnOf(lines[0][1]) === undefined) ? 2 : 1;
    const entryOf = (line) => (start === 2 && line[1]) || line[0];
    this.say();
    const missing = people.map(entryOf).filter((entry) => entry && !this.names().has(normalized(entry)));
    if (missing.length && !(await this.addPeople(missing.join("\n"), { keepsFocus: true }))) {
      return;
    }
    const names = this.names(), cells = [], unclear = [];
    for (const line of people.filter(entryOf)) {
      const row = names.get(normalized(entryOf(line))) ?? -1;
      for (let index = start; row >= 0 && index < line.length; index += 1) {
        const column = isTitled ? columnOf(lines[0][index]) : index - start;
        if (column < this.board.columns.length) {
          cells.push([row, column, CHECKED.test(line[index])]);
        }
      }
      if (names.get(normalized(entryOf(line))) === -1) {
        unclear.push(entryOf(line));
      }
    }
    const ambiguous = unclear.length && `Several have this name: ${unclear.join("; ")}.`;
    // After what `addPeople` has said.
    this.messages.append(...this.lines([this.changed(this.board.stage(cells)), ambiguous]));
  }

  // Return the rows by name and address; -1 for a name of several people.
  names() {
    const found = new Map();
    this.board.rows.forEach(({ head }, index) => {
      for (const text of new Set(head.title.split(" · ").map(normalized))) {
        found.set(text, found.has(text) ? -1 : index);
      }
    });
    return found;
  }

  // --- Names ---

  // Add the named people as rows, and select these.
  async addPeople(text, { chosen = [], keepsFocus = false } = {}) {
    if (!this.board.mayAdd) {
      return null;
    }
    this.say("Looking for these people…");
    let found;
    try {
      found = await this.match(text, chosen);
    } catch {
      this.say("The server didn't answer. Your staged changes are kept: reload the page and try again.");
      return null;
    }
    this.showPeople(found);
    const count = found.ids.length;
    const next = count && !keepsFocus ? " and selected: Space assigns them to everything" : "";
    this.say(
      `${count} ${count === 1 ? "person" : "people"} added${next}.`,
      found.unknown.length && `Not found: ${found.unknown.join("; ")}.`,
      found.archived.length && `Can't be added: ${found.archived.join("; ")}.`,
    );
    for (const [entry, people] of Object.entries(found.ambiguous)) {
      this.offer(entry, people);
    }
    this.board.form.elements.pasted.value = found.unknown.join("\n");
    if (count && !keepsFocus) {
      this.sheet.select([count - 1, this.board.columns.length - 1], [0, 0]);
    }
    return found;
  }

  // Ask the server who is meant.
  async match(text, chosen) {
    const body = new FormData();
    const fields = { step: "match", as: "json", pasted: text, chosen: chosen.join(",") };
    body.set("csrfmiddlewaretoken", this.board.form.elements.csrfmiddlewaretoken.value);
    Object.entries(fields).forEach(([name, value]) => body.set(name, value));
    const response = await fetch(location.href, { method: "POST", body });
    if (!response.ok || response.redirected) {
      throw new Error(`${response.status}`);
    }
    return response.json();
  }

  // Offer the people whom an ambiguous name could mean.
  offer(entry, people) {
    const line = document.createElement("p");
    line.append(`Which “${entry}”? `);
    for (const [id, label] of people) {
      const button = document.createElement("button");
      [button.type, button.textContent] = ["button", label];
      button.addEventListener("click", () => this.addPeople("", { chosen: [id] }));
      line.append(button, " ");
    }
    this.messages.append(line);
  }

  changed(count) {
    return `${count} ${count === 1 ? "cell" : "cells"} changed.`;
  }

  say(...texts) {
    this.messages.replaceChildren(...this.lines(texts));
  }

  lines(texts) {
    return texts.filter(Boolean).map((text) => {
      const line = document.createElement("p");
      line.textContent = text;
      return line;
    });
  }

  // --- Rows of added people ---

  showPeople(found) {
    const { board } = this, body = board.table.tBodies[0];
    const page = new DOMParser().parseFromString(`<table>${found.html}</table>`, "text/html");
    const numbers = found.reasons.map((reason) => {
      const number = board.reasons.indexOf(reason);
      return number < 0 ? board.reasons.push(reason) - 1 : number;
    });
    const rows = [...page.querySelectorAll("tr[data-person]")].map((tr) => {
      const shown = board.byPerson.get(tr.dataset.person)?.tr;
      for (const cell of shown ? [] : tr.querySelectorAll("td")) {
        cell.dataset.why = numbers[cell.dataset.why];
      }
      return shown ?? document.adoptNode(tr);
    });
    if (!rows.length) {
      return;
    }
    if (!body.querySelector(".board-added")) {
      const others = body.querySelector(".board-group") ? [] : [this.heading("Others")];
      body.prepend(page.querySelector(".board-added"), ...others);
    }
    body.querySelector(".board-added").after(...rows);
    board.readRows();
    this.keepAdded(found.ids);
    // Staged changes of rows that weren't shown.
    for (const key of board.staged.keys()) {
      board.paintKey(key);
    }
    board.show();
  }

  heading(text) {
    const [tr, cell, span] = ["tr", "th", "span"].map((name) => document.createElement(name));
    [tr.className, cell.scope, cell.colSpan] = ["board-group", "rowgroup", this.board.columns.length + 1];
    span.textContent = text;
    cell.append(span);
    tr.append(cell);
    return tr;
  }

  // Keep the added rows over a reload.
  keepAdded(ids) {
    const address = new URL(location.href);
    const before = (address.searchParams.get("add") ?? "").split(",").filter(Boolean);
    address.searchParams.set("add", [...new Set([...ids.map(String), ...before])].slice(0, 200).join(","));
    history.replaceState(history.state, "", address);
    this.board.form.action = address;
  }
}
