// The staffing board as a sheet: the focused cell, blocks, keys, the mouse, and the clipboard.
"use strict";
{
  const TYPED = "input, textarea, select, [contenteditable]";

  class Sheet {
    constructor(board) {
      this.board = board;
      this.table = board.table;
      this.note = board.root.querySelector("#board-note");
      this.clipboard = new BoardClipboard(this);
      // The focused cell; -1 is the row of titles, or the column of names. The block is from the anchor to it.
      this.row = this.column = 0;
      this.anchor = null;
      this.painted = [];
      this.isLeaving = false;
      this.table.setAttribute("role", "grid");
      this.table.setAttribute("aria-multiselectable", "true");
      this.element(Math.min(0, board.rows.length - 1), 0)?.setAttribute("tabindex", "0");
      this.listen();
    }

    // --- Cells ---

    element(row, column) {
      if (row < 0) {
        return column < 0 ? this.table.querySelector(".board-corner") : this.board.columns[column]?.th;
      }
      return column < 0 ? this.board.rows[row]?.head : this.board.rows[row] && this.board.cell(row, column);
    }

    // Return the row and column of an element in the table, or null.
    place(element) {
      const cell = element.closest?.("#board-table :is(td, th)");
      const tr = cell?.parentElement;
      if (!cell || tr.matches(".board-group, .board-headings")) {
        return null;
      }
      return [tr.board ? this.board.rows.indexOf(tr.board) : -1, cell.cellIndex - 1];
    }

    focus(row, column, extend = false) {
      const { rows, columns } = this.board;
      row = Math.max(-1, Math.min(row, rows.length - 1));
      column = Math.max(-1, Math.min(column, columns.length - 1));
      if (extend) {
        this.anchor ??= [this.row, this.column];
      } else {
        this.anchor = null;
      }
      this.table.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
      [this.row, this.column] = [row, column];
      const element = this.element(row, column);
      element.tabIndex = 0;
      if (row >= 0 && column >= 0) {
        element.setAttribute("aria-label", `${this.board.columns[column].label}: ${this.board.describe(row, column)}`);
      }
      element.focus({ preventScroll: true });
      element.scrollIntoView({ block: "nearest", inline: "nearest" });
      this.paint();
      this.explain(row, column);
    }

    // Select a block; the second corner gets the focus.
    select(anchor, [row, column], isShown = true) {
      if (isShown) {
        this.focus(row, column);
      }
      [this.row, this.column, this.anchor] = [row, column, anchor];
      this.paint();
    }

    // Return the cells of the block, or of the focused row, column or cell.
    block() {
      const { rows, columns } = this.board;
      const [r, c] = this.anchor ?? [this.row, this.column];
      const whole = (a, b, length) => (a < 0 || b < 0 ? [0, length - 1] : [Math.min(a, b), Math.max(a, b)]);
      const [top, bottom] = whole(r, this.row, rows.length), [left, right] = whole(c, this.column, columns.length);
      const cells = [];
      for (let row = top; row <= bottom; row += 1) {
        for (let column = left; column <= right; column += 1) {
          cells.push([row, column]);
        }
      }
      return cells;
    }

    paint() {
      this.painted.forEach((cell) => cell.classList.remove("sel"));
      this.painted = this.anchor ? this.block().map(([row, column]) => this.board.cell(row, column)) : [];
      this.painted.forEach((cell) => cell.classList.add("sel"));
    }

    // Say why a cell is as it is, with a link to its repair.
    explain(row, column) {
      const { rows, columns, root } = this.board;
      if (row < 0 || column < 0) {
        this.note.textContent = this.element(row, column)?.title ?? "";
        return;
      }
      const who = document.createElement("strong");
      who.textContent = `${rows[row].name} · ${columns[column].label}`;
      this.note.replaceChildren(who, `: ${this.board.describe(row, column)}. `);
      if (root.dataset.check) {
        const link = document.createElement("a");
        const query = new URLSearchParams({ person: rows[row].id, [root.dataset.relation]: columns[column].id });
        [link.href, link.textContent] = [`${root.dataset.check}?${query}`, "Check and repair"];
        this.note.append(link);
      }
    }

    // --- Changes ---

    assign(to) {
      return this.board.stage(this.block().map(([row, column]) => [row, column, to])) > 0;
    }

    toggle() {
      const cells = this.block();
      return this.assign(!cells.every(([row, column]) => this.board.isAssigned(row, column)));
    }

    review() {
      this.board.form.querySelector("[name=step][value=preview]")?.click();
    }

    // --- Keys ---

    keyDown(event) {
      const { key, shiftKey } = event, isCommand = event.ctrlKey || event.metaKey;
      const last = [this.board.rows.length - 1, this.board.columns.length - 1];
      const page = Math.max(1, Math.floor(this.board.root.querySelector(".board-scroll").clientHeight / 34) - 3);
      const moves = {
        ArrowUp: [isCommand ? 0 : this.row - 1, this.column],
        ArrowDown: [isCommand ? last[0] : this.row + 1, this.column],
        ArrowLeft: [this.row, isCommand ? 0 : this.column - 1],
        ArrowRight: [this.row, isCommand ? last[1] : this.column + 1],
        Home: isCommand ? [0, 0] : [this.row, 0],
        End: isCommand ? last : [this.row, last[1]],
        PageUp: [Math.max(0, this.row - page), this.column],
        PageDown: [this.row + page, this.column],
      };
      if (key in moves) {
        this.focus(...moves[key], shiftKey);
        return true;
      }
      if (isCommand) {
        return this.command(key.toLowerCase(), shiftKey);
      }
      switch (key) {
        case " ":
          this.toggle();
          return true;
        case "x":
        case "1":
          this.assign(true);
          return true;
        case "Delete":
        case "Backspace":
        case "0":
          this.assign(false);
          return true;
        case "Enter":
          this.focus(this.row + (shiftKey ? -1 : 1), this.column);
          return true;
        case "Escape":
          this.focus(this.row, this.column);
          return true;
      }
      return false;
    }

    command(key, shiftKey) {
      switch (key) {
        case "z":
          return Boolean(shiftKey ? this.board.redo() : this.board.undo()) || true;
        case "y":
          return Boolean(this.board.redo()) || true;
        case "a":
          this.select([0, 0], [this.board.rows.length - 1, this.board.columns.length - 1], false);
          return true;
        case "enter":
          this.review();
          return true;
      }
      return false;
    }

    // --- Events ---

    listen() {
      const { root, table, form } = this.board;
      let start = null, isDragged = false;
      table.addEventListener("keydown", (event) => {
        if (!event.altKey && !event.target.matches(TYPED) && this.keyDown(event)) {
          event.preventDefault();
        }
      });
      table.addEventListener("focusin", ({ target }) => {
        const place = this.place(target);
        if (place && (place[0] !== this.row || place[1] !== this.column)) {
          [this.row, this.column] = place;
        }
      });
      table.addEventListener("pointerdown", (event) => {
        start = event.button === 0 ? this.place(event.target) : null;
        isDragged = false;
      });
      table.addEventListener("pointermove", (event) => {
        // Scrolling moves cells below a resting pointer, which explains none of them.
        const position = `${event.screenX} ${event.screenY}`;
        if (event.target === this.hovered || position === this.pointer) {
          return;
        }
        [this.hovered, this.pointer] = [event.target, position];
        const place = this.place(event.target);
        if (place && start && event.buttons === 1 && event.pointerType === "mouse" && String(place) !== String(start)) {
          if (!isDragged) {
            this.focus(...start);
          }
          isDragged = true;
          this.focus(...place, true);
        } else if (place && !event.buttons) {
          this.explain(...place);
        }
      });
      table.addEventListener("click", (event) => {
        const place = this.place(event.target);
        if (place && !isDragged && !event.target.closest("a")) {
          this.focus(...place, event.shiftKey);
          if (!event.shiftKey && String(place) !== "-1,-1") {
            this.toggle();
          }
        }
      });
      root.addEventListener("click", ({ target }) => {
        const button = target.closest("[data-board]");
        if (button) {
          this.board[button.dataset.board]();
        }
        // Changes are kept for the other pages of the board.
        this.isLeaving ||= Boolean(target.closest("a[href*='/boards/']:not([download]), .board-filters [type=submit]"));
      });
      this.board.addEventListener("change", () => this.explain(this.row, this.column));
      for (const type of ["copy", "cut"]) {
        document.addEventListener(type, (event) => {
          if (table.contains(document.activeElement)) {
            this.clipboard.copy(event);
          }
        });
      }
      document.addEventListener("paste", (event) => {
        const text = event.clipboardData.getData("text");
        const isTyping = event.target.closest?.(TYPED);
        if (text.trim() && isTyping?.name === "pasted") {
          event.preventDefault();
          this.clipboard.addPeople(text);
        } else if (text && !isTyping && !document.querySelector("dialog[open]")) {
          event.preventDefault();
          this.clipboard.paste(text);
        }
      });
      form.elements.pasted?.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.shiftKey) {
          event.preventDefault();
          this.clipboard.addPeople(event.target.value);
        }
      });
      form.addEventListener("submit", (event) => {
        if (event.submitter?.value === "match") {
          event.preventDefault();
          this.clipboard.addPeople(form.elements.pasted.value);
        } else if (!this.board.staged.size) {
          event.preventDefault();
          this.clipboard.say("Nothing is staged yet. Click a cell, or press Space in it.");
        } else {
          this.isLeaving = true;
          this.board.prepare();
        }
      });
      window.addEventListener("storage", ({ key }) => key === this.board.key && this.board.load());
      window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
      window.addEventListener("beforeunload", (event) => {
        if (this.board.staged.size && !this.isLeaving) {
          event.preventDefault();
        }
        this.isLeaving = false;
      });
    }
  }

  const root = document.getElementById("board");
  if (root) {
    new Sheet(new StaffingBoard(root));
  }
}
