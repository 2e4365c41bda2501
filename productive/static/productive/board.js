// The staffing board: stages changes of its cells, keeps them over a reload, and sends them to the review.
//
// Without this script the board is a form of checkboxes. With it, the form sends only the staged changes: for
// each the person, the column, whether the person shall be assigned, and the id of the assignment that the page
// showed (0 without one). So the server can tell what somebody else has changed in the meantime.
"use strict";

class StaffingBoard extends EventTarget {
  constructor(root) {
    super();
    this.root = root;
    this.table = root.querySelector("#board-table");
    this.form = root.querySelector("#board-form");
    this.mayAdd = "mayAdd" in root.dataset;
    this.mayRemove = "mayRemove" in root.dataset;
    this.reasons = JSON.parse(document.getElementById("board-reasons").textContent);
    this.columns = [...this.table.querySelectorAll("thead th[data-column]")].map((th) => ({
      id: th.dataset.column,
      label: th.dataset.label,
      th,
      count: th.querySelector(".board-count"),
    }));
    const user = document.querySelector("[data-user]")?.dataset.user;
    this.key = `board.${user}.${root.dataset.key}`;
    // "person-column" → the change. Each step is a list of a key with the change before and after it.
    this.staged = new Map();
    this.steps = [];
    this.undone = [];
    this.readRows();
    this.load();
    root.classList.add("board-on");
  }

  // --- The table ---

  readRows() {
    const trs = [...this.table.tBodies[0].querySelectorAll("tr[data-person]")];
    this.rows = trs.map((tr) => tr.board ?? this.readRow(tr));
    this.byPerson = new Map(this.rows.map((row) => [row.id, row]));
    this.byColumn = new Map(this.columns.map((column, index) => [column.id, index]));
  }

  readRow(tr) {
    const field = tr.querySelector("input[name=row]");
    const pairs = field.value.split(":")[1].split(",").filter(Boolean).map((pair) => pair.split("="));
    const seen = new Map(pairs.map(([column, id]) => [column, Number(id)]));
    const name = tr.querySelector(".board-name").textContent;
    tr.board = { id: tr.dataset.person, tr, head: tr.cells[0], name, seen };
    return tr.board;
  }

  cell(row, column) {
    return this.rows[row].tr.cells[column + 1];
  }

  keyOf(row, column) {
    return `${this.rows[row].id}-${this.columns[column].id}`;
  }

  seen(row, column) {
    return this.rows[row].seen.get(this.columns[column].id) ?? 0;
  }

  isAssigned(row, column) {
    return this.staged.get(this.keyOf(row, column))?.to ?? this.seen(row, column) > 0;
  }

  // Return what a cell shows, as a sentence.
  describe(row, column) {
    const cell = this.cell(row, column);
    const change = this.staged.get(this.keyOf(row, column));
    const state = { y: "assigned, can track", v: "assigned, but can't track", o: "not assigned, but can track" };
    const today = `${state[cell.className[0]] ?? "not assigned, can't track"}: ${this.reasons[cell.dataset.why]}`;
    if (!change) {
      return today;
    }
    const meanwhile = change.was === this.seen(row, column) ? "" : "; somebody else has changed this in the meantime";
    return `will be ${change.to ? "added" : "removed"}${meanwhile}; now ${today}`;
  }

  paint(row, column) {
    const change = this.staged.get(this.keyOf(row, column));
    const { classList } = this.cell(row, column);
    classList.toggle("p", change?.to === true);
    classList.toggle("m", change?.to === false);
    classList.toggle("c", Boolean(change) && change.was !== this.seen(row, column));
  }

  paintKey(key) {
    const [person, column] = key.split("-");
    const row = this.rows.indexOf(this.byPerson.get(person));
    if (row >= 0 && this.byColumn.has(column)) {
      this.paint(row, this.byColumn.get(column));
    }
  }

  // --- Staging ---

  // Stage cells, a list of [row, column, to]. Cells that the user may not change are left out.
  stage(cells) {
    const step = [];
    for (const [row, column, to] of cells) {
      const key = this.keyOf(row, column), before = this.staged.get(key), was = this.seen(row, column);
      const after = to === was > 0 ? undefined : { to, was };
      const isAllowed = !after || (to ? this.mayAdd : this.mayRemove);
      if (isAllowed && before?.to !== after?.to) {
        step.push([key, before, after]);
        this.set(key, after);
        this.paint(row, column);
      }
    }
    if (step.length) {
      this.steps.push(step);
      this.undone = [];
      this.changed();
    }
    return step.length;
  }

  set(key, change) {
    if (change) {
      this.staged.set(key, change);
    } else {
      this.staged.delete(key);
    }
  }

  undo() {
    const step = this.steps.pop();
    this.replay(step, 1);
    return step && this.undone.push(step);
  }

  redo() {
    const step = this.undone.pop();
    this.replay(step, 2);
    return step && this.steps.push(step);
  }

  replay(step, place) {
    for (const entry of step ?? []) {
      this.set(entry[0], entry[place]);
      this.paintKey(entry[0]);
    }
    this.changed();
  }

  discard() {
    const step = [...this.staged].map(([key, change]) => [key, change, undefined]);
    this.steps.push(step);
    this.replay(step, 2);
  }

  changed() {
    this.save();
    this.show();
  }

  // Show the numbers of staged changes, in all and of each column.
  show() {
    const totals = new Map();
    let plus = 0, minus = 0, hidden = 0;
    for (const [key, { to }] of this.staged) {
      const [person, column] = key.split("-");
      totals.set(column, (totals.get(column) ?? 0) + (to ? 1 : -1));
      plus += to ? 1 : 0;
      minus += to ? 0 : 1;
      hidden += this.byPerson.has(person) ? 0 : 1;
    }
    for (const { id, count } of this.columns) {
      const text = String(Number(count.dataset.count) + (totals.get(id) ?? 0));
      if (count.textContent !== text) {
        count.textContent = text;
      }
    }
    const counts = this.root.querySelector("#board-counts");
    if (counts) {
      const parts = [plus && ["plus", `+${plus}`], minus && ["minus", `−${minus}`]].filter(Boolean);
      const texts = parts.map(([name, text]) => {
        const part = document.createElement("span");
        [part.className, part.textContent] = [name, `${text} `];
        return part;
      });
      counts.replaceChildren(...texts, hidden ? `(${hidden} in rows that aren't shown)` : "");
      this.root.querySelector("[data-board=undo]").disabled = !this.steps.length;
      this.root.querySelector("[data-board=discard]").disabled = !this.staged.size;
    }
    this.dispatchEvent(new Event("change"));
  }

  // --- Storage ---

  save() {
    try {
      if (this.staged.size) {
        localStorage.setItem(this.key, JSON.stringify({ ...this.stored(), staged: [...this.staged] }));
      } else {
        localStorage.removeItem(this.key);
      }
    } catch {
      // The storage is full or switched off: the changes don't survive a reload, but leaving warns.
    }
  }

  stored() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  }

  // Take the staged changes from the storage, without those that have been made since.
  load() {
    const before = [...this.staged.keys()];
    const { staged, sent } = this.stored();
    this.staged = new Map(Array.isArray(staged) ? staged : []);
    const address = new URL(location.href);
    const applied = address.searchParams.get("applied");
    if (applied) {
      // The page after the review.
      for (const [key, to] of sent?.batch === applied ? sent.changes : []) {
        if (this.staged.get(key)?.to === to) {
          this.staged.delete(key);
        }
      }
      address.searchParams.delete("applied");
      history.replaceState(history.state, "", address);
    }
    for (const [key, { to }] of this.staged) {
      const [person, column] = key.split("-");
      const row = this.byPerson.get(person);
      if (row && this.byColumn.has(column) && row.seen.has(column) === to) {
        this.staged.delete(key);
      }
    }
    for (const key of [...before, ...this.staged.keys()]) {
      this.paintKey(key);
    }
    this.changed();
  }

  // --- Sending ---

  // Prepare the form for the review: it sends the staged changes instead of its checkboxes.
  prepare() {
    const changes = [...this.staged].map(([key, { to, was }]) => [...key.split("-").map(Number), Number(to), was]);
    const batch = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    const sent = { batch, changes: [...this.staged].map(([key, { to }]) => [key, to]) };
    try {
      localStorage.setItem(this.key, JSON.stringify({ staged: [...this.staged], sent }));
    } catch {
      // See `save`.
    }
    for (const field of this.form.querySelectorAll("[name=row], [name=cell], [name=columns], [name=pasted]")) {
      field.disabled = true;
    }
    for (const [name, value] of [["changes", JSON.stringify(changes)], ["batch", batch]]) {
      const field = this.form.elements[name] ?? document.createElement("input");
      [field.type, field.name, field.value] = ["hidden", name, value];
      this.form.append(field);
    }
  }
}
