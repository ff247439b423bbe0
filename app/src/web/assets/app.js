// The script of the pages. It fetches pieces of HTML with the token in a header, puts them where they belong, and fetches a
// piece again when something that it shows has changed. It holds no texts of its own and makes no decisions: those are the
// program's. Written out here instead of a library: a token in a header and an event stream read with `fetch` are what it is
// about, and no text is ever run.
"use strict";

(() => {
  const TOKEN = "trefoil-token";
  const app = document.getElementById("app");
  const popup = document.getElementById("popup");
  const said = document.getElementById("said");
  const locked = document.getElementById("locked");
  // The one place where a text becomes part of a page; what comes here was escaped by the program.
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("trefoil", { createHTML: (html) => html })
    : { createHTML: (html) => html };
  const shown = new WeakMap();
  const drafts = new Map();
  let stream = null;

  // ---- asking ----

  class Locked extends Error {}

  async function ask(path, body, by) {
    const headers = { [TOKEN]: sessionStorage.getItem(TOKEN) ?? "" };
    if (by) headers["trefoil-by"] = by;
    const options = { headers, cache: "no-store", credentials: "omit", redirect: "error" };
    if (body !== undefined) {
      options.method = "POST";
      const isFile = body instanceof File;
      headers["content-type"] = isFile ? "application/octet-stream" : "application/json";
      options.body = isFile ? body : JSON.stringify(body);
    }
    const response = await fetch(path, options);
    if (response.status === 401) {
      lock();
      throw new Locked();
    }
    return response;
  }

  function lock() {
    sessionStorage.removeItem(TOKEN);
    stream?.abort();
    visits += 1;
    drafts.clear();
    chosen.clear();
    told.clear();
    clearTimeout(telling);
    again.clear();
    app.replaceChildren();
    lookForPictures();
    popup.replaceChildren();
    said.replaceChildren();
    document.title = "Trefoil";
    locked.hidden = false;
  }

  function piece(html) {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(html);
    return template.content;
  }

  // ---- pages ----

  // Changes that come while a page is fetched concern what it brings, and of two pages the one that was wanted last is shown.
  let arriving = null;
  let visits = 0;
  async function visit(path, how = "push", at) {
    keepDrafts();
    const number = (visits += 1);
    const missed = (arriving = []);
    const response = await ask("/page" + path);
    const html = await response.text();
    if (number !== visits) return;
    const go = response.headers.get("trefoil-go");
    if (go) return visit(go, how === "none" ? "replace" : how, at);
    keepDrafts();
    keepAgain();
    if (how !== "none" && location.pathname !== path) history[how + "State"](null, "", path);
    const fresh = piece(html);
    carryPictures(app, fresh, "[data-now]");
    app.replaceChildren(fresh);
    arriving = null;
    missed.forEach(changed);
    const titled = app.querySelector("[data-title]");
    app.dataset.title = titled ? titled.dataset.title : "";
    restoreDrafts();
    settle();
    popup.hidden = !app.querySelector(".frame");
    (app.querySelector("[autofocus]") ?? app.querySelector("main"))?.focus({ preventScroll: true });
    restoreAgain();
    if (at) await goTo(at);
  }

  // After something was put on the page.
  function settle() {
    const side = app.querySelector("[data-unread]");
    const unread = Number(side?.dataset.unread ?? 0);
    const called = app.querySelector("#head h1")?.textContent ?? app.dataset.title;
    const title = called ? called + " – Trefoil" : "Trefoil";
    document.title = unread > 0 ? `(${unread}) ${title}` : title;
    const scroll = document.getElementById("scroll");
    if (scroll && !scroll.dataset.settled) {
      scroll.dataset.settled = "yes";
      scroll.scrollTop = scroll.scrollHeight;
      scroll.addEventListener("scroll", () => {
        if (scroll.scrollTop < 200) older(scroll.querySelector("[data-older]"));
      });
    }
    app.querySelectorAll("textarea[data-enter]").forEach(grow);
    lookForPictures();
    markRead();
    look();
  }

  // What was begun to be written, without a change of an own message.
  function begun(form) {
    return form.elements.edits?.value ? beforeEdit : form.elements.text.value;
  }

  function keepDrafts() {
    for (const form of app.querySelectorAll("form[data-keep]")) {
      drafts.set(form.dataset.keep, begun(form));
      tellDraft(form);
    }
  }

  // The other devices are told, and this one after its end; what is too long for that stays here.
  const told = new Map();
  const seen = new Map();
  let telling = 0;
  async function tellDraft(form) {
    clearTimeout(telling);
    const conversation = form?.dataset.draft;
    if (!conversation) return;
    const text = begun(form);
    if (text === (told.get(conversation) ?? form.elements.text.defaultValue)) return;
    told.set(conversation, text);
    const response = await ask("/do/draft", { conversation, text }, "page");
    if (!response.ok) told.delete(conversation);
  }

  function restoreDrafts() {
    for (const form of app.querySelectorAll("form[data-keep]")) {
      const { text } = form.elements;
      const [begun, conversation] = [drafts.get(form.dataset.keep), form.dataset.draft];
      // another device may have gone on with it; what only this one has stays
      const isNews = text.defaultValue !== seen.get(conversation) && (!begun || begun === told.get(conversation));
      seen.set(conversation, text.defaultValue);
      if (isNews) told.set(conversation, text.defaultValue);
      else text.value = begun ?? text.defaultValue;
      showChosen(form);
    }
  }

  // A search whose results somebody comes back to is made again; its words stand in no address and in no history.
  const again = new Map();
  function keepAgain() {
    for (const form of app.querySelectorAll("form[data-again]")) again.set(form.dataset.again, new FormData(form));
  }

  function restoreAgain() {
    for (const form of app.querySelectorAll("form[data-again]")) {
      for (const [name, value] of again.get(form.dataset.again) ?? []) form.elements[name].value = value;
      if (form.checkValidity()) form.requestSubmit();
    }
  }

  // What somebody sees who looks at it was read.
  let lastRead = "";
  async function markRead() {
    const list = app.querySelector("[data-read]");
    if (!list || document.hidden || !document.hasFocus()) return;
    const newest = list.dataset.read + (list.querySelector(".theirs:last-of-type")?.id ?? "") + list.childElementCount;
    if (newest === lastRead) return;
    lastRead = newest;
    await ask("/do/read", { conversation: list.dataset.read }, "page");
  }

  // ---- pieces that change ----

  function concerns(element, change) {
    if (change.changed === "all") return true;
    return element.dataset.on.split(" ").some((topic) => {
      const [what, which] = topic.split(":");
      return what === change.changed && (which === undefined || which === change.conversation);
    });
  }

  const due = new Set();
  let timer = 0;
  let isRefreshing = false;
  function changed(change) {
    arriving?.push(change);
    for (const element of document.querySelectorAll("[data-from]")) if (concerns(element, change)) due.add(element);
    refreshSoon();
  }

  // One after the other, so that no older answer takes the place of a newer one.
  function refreshSoon() {
    if (!timer && !isRefreshing && due.size > 0) timer = setTimeout(refresh, 60);
  }

  async function refresh() {
    timer = 0;
    isRefreshing = true;
    try {
      await refreshAll();
    } finally {
      isRefreshing = false;
      refreshSoon();
    }
  }

  async function refreshAll() {
    const elements = [...due].filter((element) => element.isConnected);
    due.clear();
    for (const element of elements) {
      const response = await ask(element.dataset.from, undefined, "page");
      const go = response.headers.get("trefoil-go");
      if (go && element !== popup) return visit(go, "replace");
      const html = await response.text();
      if (!response.ok || shown.get(element) === html) continue;
      shown.set(element, html);
      if ("merge" in element.dataset) merge(element, piece(html));
      else if ("rows" in element.dataset) update(element, piece(html));
      else swap(element, piece(html));
      if (element.id === "names" && !element.hidden) offerNames(document.activeElement);
    }
    settle();
  }

  // Whoever chooses a file is somewhere else for a while, and comes back to this field.
  let choosing = null;
  document.addEventListener("click", (event) => {
    if (event.target.matches("input[type=file]")) choosing = event.target;
  }, true);
  for (const what of ["change", "cancel"]) {
    document.addEventListener(what, (event) => {
      if (event.target === choosing) choosing = null;
    }, true);
  }

  const CONTROLS = "a, button, input, select, summary, textarea";

  // Puts a piece in the place of another, unless somebody is typing there. What was open stays open, what was written stays
  // written, and whoever stood somewhere stands there again.
  function swap(element, fresh) {
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    if ((focused && focused.matches("input, textarea") && focused.value) || (choosing && element.contains(choosing))) {
      shown.delete(element);
      return;
    }
    const place = focused?.id || focused?.getAttribute("href");
    const number = [...element.querySelectorAll(CONTROLS)].indexOf(focused);
    const open = [...element.querySelectorAll("details[open][id]")].map((it) => it.id);
    const written = [...element.querySelectorAll("input[id], textarea[id]")].filter((it) => it.value !== it.defaultValue);
    carryPictures(element, fresh, "[data-now]");
    element.replaceChildren(fresh);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const { id, value } of written) {
      const field = document.getElementById(id);
      if (field) field.value = value;
    }
    if (!focused) return;
    const controls = [...element.querySelectorAll(CONTROLS)];
    const isSame = (it) => it?.tagName === focused.tagName && it.textContent === focused.textContent;
    const again = place
      ? controls.find((it) => it.id === place || it.getAttribute("href") === place)
      : [controls[number]].find(isSame);
    again?.focus({ preventScroll: true });
  }

  // Changes only what is new among elements with ids; what stands above the first of them stays.
  function merge(list, fresh) {
    const scroll = list.parentElement;
    const isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    let items = [...fresh.children];
    const anchor = items.find((item) => item.id.startsWith("m-") && document.getElementById(item.id));
    if (!anchor) {
      list.replaceChildren(...items);
    } else {
      items = items.slice(items.indexOf(anchor));
      let at = document.getElementById(anchor.id);
      const keep = new Set(items.map((item) => item.id));
      for (let next = at; next; ) {
        const after = next.nextElementSibling;
        if (!keep.has(next.id)) next.remove();
        next = after;
      }
      let before = at.previousElementSibling;
      for (const item of items) {
        const old = document.getElementById(item.id);
        if (old && (came.get(old) ?? old.outerHTML) === item.outerHTML) {
          if (old.previousElementSibling !== before) before ? before.after(old) : list.prepend(old);
          before = old;
          continue;
        }
        // whoever stands on a button of it stands there again
        const held = old?.contains(document.activeElement) ? buttonsOf(old).indexOf(document.activeElement) : -1;
        if (old) carryPictures(old, item);
        old?.remove();
        before ? before.after(item) : list.prepend(item);
        buttonsOf(item)[held]?.focus({ preventScroll: true });
        before = item;
      }
    }
    if (isAtEnd) scroll.scrollTop = scroll.scrollHeight;
  }

  // Rows that are gone go, new ones come. Of one that stays only what lives changes, so that whoever presses its button hits it.
  function update(list, fresh) {
    const rows = [...fresh.children];
    const keep = new Set(rows.map((row) => row.id));
    const scroll = document.getElementById("scroll");
    const isAtEnd = scroll && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    for (const row of [...list.children]) if (!keep.has(row.id)) row.remove();
    for (const row of rows) {
      const live = document.getElementById(row.id)?.querySelector("[data-live]");
      if (live) live.replaceWith(row.querySelector("[data-live]"));
      else list.append(row);
    }
    if (isAtEnd) scroll.scrollTop = scroll.scrollHeight;
  }

  function buttonsOf(item) {
    return [...item.querySelectorAll("button")];
  }

  let isFetching = false;
  async function older(button) {
    if (!button || isFetching) return;
    isFetching = true;
    try {
      const list = document.getElementById("messages");
      const first = list.querySelector("[id^='m-']");
      const response = await ask(`${button.dataset.older}?before=${first.id.slice(2)}`);
      if (!response.ok) return;
      const items = [...piece(await response.text()).children];
      if (items.some((item) => "all" in item.dataset)) button.remove();
      const fresh = items.filter((item) => !("all" in item.dataset));
      for (const item of fresh) document.getElementById(item.id)?.remove();
      const scroll = list.parentElement;
      const below = scroll.scrollHeight - scroll.scrollTop;
      list.prepend(...fresh);
      lookForPictures();
      scroll.scrollTop = scroll.scrollHeight - below;
    } finally {
      isFetching = false;
    }
  }

  // Leads to a message; older ones are fetched until it is there, up to a thousand.
  async function goTo(id) {
    for (let pages = 0; pages < 20 && !document.getElementById(id); pages += 1) {
      const button = app.querySelector("[data-older]");
      if (!button) break;
      await older(button);
    }
    const item = document.getElementById(id);
    if (!item) return tell(document.getElementById("too-old").content.cloneNode(true));
    item.scrollIntoView({ block: "center" });
    item.focus({ preventScroll: true });
    item.classList.add("shown");
    setTimeout(() => item.classList.remove("shown"), 2500);
  }

  // ---- what one does with a message ----

  function openMenu(button) {
    const menu = document.getElementById("menu");
    menu.querySelectorAll("form").forEach((form) => form.reset());
    menu.querySelectorAll("[data-answer]").forEach((answer) => answer.replaceChildren());
    menu.querySelectorAll("details").forEach((it) => (it.open = false));
    menu.querySelectorAll("[name=message]").forEach((field) => (field.value = button.dataset.menu));
    menu.querySelectorAll("[data-own]").forEach((it) => (it.hidden = !("text" in button.dataset)));
    menu.dataset.about = button.dataset.menu;
    const reached = menu.querySelector("[data-reached]");
    reached.textContent = document.getElementById("m-" + button.dataset.menu)?.querySelector(".state")?.title ?? "";
    reached.hidden = !reached.textContent;
    menu.showPopover();
    // beside the button, and on the page; a narrow page has it at its lower edge
    const at = button.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left - menu.offsetWidth / 2), innerWidth - menu.offsetWidth - 8);
    const below = at.bottom + 6;
    const top = Math.max(8, below + menu.offsetHeight + 60 < innerHeight ? below : at.top - menu.offsetHeight - 6);
    menu.style.setProperty("--left", `${left}px`);
    menu.style.setProperty("--top", `${top}px`);
    menu.querySelector("button").focus();
  }

  let beforeEdit = "";
  // The next text answers a message, or changes an own one.
  function begin(what, id, written) {
    const item = document.getElementById("m-" + id);
    const button = item?.querySelector("[data-menu]");
    const form = app.querySelector("form.write");
    if (!button || !form) return;
    endAbout(form);
    const text = form.elements.text;
    form.elements[what].value = button.dataset.menu;
    form.querySelectorAll("[data-when]").forEach((it) => (it.hidden = it.dataset.when !== what));
    form.querySelector("[data-whom]").textContent = button.dataset.fromWhom;
    // a file need not come with a text
    const quoted = item.querySelector(".text")?.textContent ?? item.querySelector("[data-said]")?.dataset.said;
    form.querySelector("[data-quoted]").textContent = quoted ?? item.querySelector(".file strong")?.textContent ?? "";
    const scroll = document.getElementById("scroll");
    const isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    form.querySelector("[data-about]").hidden = false;
    if (isAtEnd) scroll.scrollTop = scroll.scrollHeight;
    if (what === "edits") {
      beforeEdit = text.value;
      text.value = written ?? button.dataset.text;
    }
    grow(text);
    text.focus();
  }

  function beginInMenu(what) {
    const menu = document.getElementById("menu");
    menu.hidePopover();
    begin(what, menu.dataset.about);
  }

  // True if there was something to end.
  function endAbout(form) {
    const strip = form?.querySelector("[data-about]");
    if (!strip || strip.hidden) return false;
    if (form.elements.edits.value) form.elements.text.value = beforeEdit;
    form.elements.edits.value = form.elements.answers.value = beforeEdit = "";
    strip.hidden = true;
    grow(form.elements.text);
    return true;
  }

  // ---- what people want ----

  async function submit(form, submitter) {
    const answer = form.querySelector("[data-answer]");
    const body = {};
    for (const [name, value] of new FormData(form, submitter)) body[name] = name in body ? body[name] + "\n" + value : value;
    const text = form.matches("[data-keep]") ? form.elements.text : null;
    if (text && chosen.has(form.dataset.keep)) return sendChosen(form, body);
    const buttons = [...form.querySelectorAll("button")];
    const focused = document.activeElement;
    answer?.replaceChildren();
    if (text) {
      // whoever writes on does not wait; what was not taken comes back
      // with it ends what was begun, on all devices
      clearTimeout(telling);
      if (!form.elements.edits.value) told.set(form.dataset.draft, "");
      text.value = "";
      endAbout(form);
      grow(text);
    } else {
      buttons.forEach((button) => (button.disabled = true));
      form.setAttribute("aria-busy", "true");
    }
    try {
      const response = await ask(submitter?.dataset.do ?? form.dataset.do, body);
      const go = response.headers.get("trefoil-go");
      if (response.ok && go) return await visit(go, "push");
      const fresh = piece(await response.text());
      if (!response.ok) {
        // what waits is kept, and would be sent twice
        const back = text && !response.headers.has("trefoil-waits");
        for (const what of ["answers", "edits"]) if (back && body[what]) begin(what, body[what], body.text);
        if (back && !text.value) text.value = body.text;
        answer ? answer.replaceChildren(fresh) : tell(fresh);
      } else if (form.dataset.into) {
        document.querySelector(form.dataset.into)?.replaceChildren(fresh);
      } else if (fresh.children.length > 0) {
        tell(fresh);
      }
      if (response.ok) {
        form.closest("[popover]")?.hidePopover();
        if ("reset" in form.dataset) form.reset();
      }
      changed({ changed: "all" });
    } catch (error) {
      if (error instanceof Locked) return;
      if (text && !text.value) text.value = body.text;
      throw error;
    } finally {
      buttons.forEach((button) => (button.disabled = false));
      form.removeAttribute("aria-busy");
      if (document.activeElement === document.body && form.contains(focused)) focused.focus({ preventScroll: true });
      if (text) grow(text);
    }
  }

  // ---- files ----

  // What was chosen, dropped or pasted goes with the next message; by where it is to go.
  const chosen = new Map();
  function choose(form, files) {
    const all = [...(chosen.get(form.dataset.keep) ?? []), ...files];
    if (all.length > 0) chosen.set(form.dataset.keep, all);
    showChosen(form);
    form.elements.text.focus();
  }

  function showChosen(form) {
    const list = form.querySelector("[data-chosen]");
    const one = form.querySelector("template[data-one]");
    const files = chosen.get(form.dataset.keep) ?? [];
    list.querySelectorAll("img").forEach((image) => URL.revokeObjectURL(image.src));
    list.replaceChildren(...files.map((file, number) => {
      const item = one.content.cloneNode(true).firstElementChild;
      item.querySelectorAll("[data-name]").forEach((it) => (it.textContent = file.name));
      item.querySelector("[data-size]").textContent = sized(file.size);
      item.querySelector("[data-too-large]").hidden = file.size <= Number(list.dataset.most);
      item.querySelector("[data-leave-out]").dataset.leaveOut = number;
      if (file.type.startsWith("image/")) {
        const image = new Image();
        image.alt = "";
        image.onload = () => item.querySelector("[data-thumb]").replaceChildren(image);
        image.src = URL.createObjectURL(file);
      }
      return item;
    }));
    list.hidden = files.length === 0;
    form.elements.text.required = files.length === 0;
  }

  function sized(bytes) {
    const [number, unit] = bytes < 1e3 ? [bytes, "B"] : bytes < 1e6 ? [bytes / 1e3, "KB"] : [bytes / 1e6, "MB"];
    return `${number < 10 && bytes >= 1e3 ? number.toFixed(1) : Math.round(number)} ${unit}`;
  }

  function leaveOut(form, number) {
    const rest = chosen.get(form.dataset.keep).filter((_, at) => at !== number);
    if (rest.length > 0) chosen.set(form.dataset.keep, rest);
    else chosen.delete(form.dataset.keep);
    showChosen(form);
    form.elements.text.focus();
  }

  // The text goes with the first, or is the answer that it was begun as. What was not taken stays chosen.
  async function sendChosen(form, body, asIs) {
    const keep = form.dataset.keep;
    const files = chosen.get(keep);
    const answer = form.querySelector("[data-answer]");
    if (files.some((file) => file.size > Number(form.querySelector("[data-chosen]").dataset.most))) return;
    let caption = body.text.trim();
    if (body.answers || body.edits) {
      chosen.delete(keep);
      if (caption) await submit(form);
      chosen.set(keep, files);
      caption = "";
    }
    const controls = [...form.elements];
    answer?.replaceChildren();
    form.setAttribute("aria-busy", "true");
    controls.forEach((it) => (it.disabled = true));
    try {
      while (files.length > 0) {
        const query = new URLSearchParams({ to: body.to, name: files[0].name, text: caption });
        // what somebody said of one is not said of the next
        if (asIs) query.set("as_is", "true");
        asIs = false;
        const response = await ask(`/do/file?${query}`, files[0]);
        const fresh = piece(await response.text());
        if (!response.ok) {
          answer?.isConnected ? answer.replaceChildren(fresh) : tell(fresh);
          break;
        }
        if (fresh.children.length > 0) tell(fresh);
        files.shift();
        if (caption) form.elements.text.value = caption = "";
      }
    } finally {
      if (files.length === 0) chosen.delete(keep);
      controls.forEach((it) => (it.disabled = false));
      form.removeAttribute("aria-busy");
      if (form.isConnected) {
        showChosen(form);
        grow(form.elements.text);
        form.elements.text.focus();
        tellDraft(form);
      } else if (files.length === 0) {
        drafts.delete(keep);
      }
      changed({ changed: "all" });
    }
  }

  // A file that is let go over a conversation is meant for it; elsewhere it is not opened in the page's place.
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const form = app.querySelector("form.write");
    event.dataTransfer.dropEffect = form ? "copy" : "none";
    form?.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) app.querySelector("form.write")?.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    const form = app.querySelector("form.write");
    form?.classList.remove("over");
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (form) choose(form, event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    const form = event.target.closest?.("form.write");
    const files = event.clipboardData?.files;
    if (!form || !files?.length) return;
    event.preventDefault();
    choose(form, files);
  });

  async function upload(input) {
    const form = input.closest("form");
    const answer = form.querySelector("[data-answer]");
    const [file] = input.files;
    if (!file) return;
    answer?.replaceChildren();
    form.setAttribute("aria-busy", "true");
    input.disabled = true;
    try {
      const query = new URLSearchParams({ to: input.dataset.upload, name: file.name });
      const response = await ask(`${input.dataset.place}?${query}`, file);
      const fresh = piece(await response.text());
      if (!response.ok) answer?.replaceChildren(fresh);
      else if (fresh.children.length > 0) tell(fresh);
      changed({ changed: "all" });
    } finally {
      input.value = "";
      input.disabled = false;
      form.removeAttribute("aria-busy");
    }
  }

  async function save(button) {
    button.disabled = true;
    try {
      const response = await ask(button.dataset.file);
      if (!response.ok) return tell(piece(await response.text()));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await response.blob());
      link.download = button.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    } finally {
      button.disabled = false;
    }
  }

  // ---- pictures ----

  // What was fetched, by place at the program, as long as it is on the page.
  const pictures = new Map();
  const watched = new WeakSet();
  // Messages as they came, before something was put into them.
  const came = new WeakMap();
  let near = null;
  let nearIn = null;

  function watchIn(scroll) {
    if (scroll === nearIn) return;
    near?.disconnect();
    nearIn = scroll;
    near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) showPicture(target, "page");
    }, { root: scroll, rootMargin: "600px 0px" });
  }

  // Two at a time, so that a service that is slow holds up nothing else.
  const turns = [Promise.resolve(), Promise.resolve()];
  function inTurn(work) {
    const turn = turns.shift().then(work);
    turns.push(turn.catch(() => {}));
    return turn;
  }

  function lookForPictures() {
    const places = [...app.querySelectorAll("[data-picture]")];
    const here = new Set(places.map((place) => place.dataset.picture));
    for (const [path, picture] of pictures) {
      if (here.has(path)) continue;
      pictures.delete(path);
      picture.then(({ url }) => url && URL.revokeObjectURL(url), () => {});
    }
    app.querySelectorAll("canvas[data-preview]").forEach(drawPreview);
    watchIn(document.getElementById("scroll"));
    const large = document.getElementById("large");
    if (large?.open && !here.has(large.dataset.of)) large.close();
    for (const place of places) {
      if (watched.has(place)) continue;
      watched.add(place);
      if ("now" in place.dataset) showPicture(place, "page");
      else if (pictures.has(place.dataset.picture)) showPicture(place);
      else if ("near" in place.dataset) near.observe(place);
    }
  }

  // A ThumbHash, drawn as its makers say: the first waves of a picture's brightness, of two pairs of colours and of how clear
  // it is, each in half a byte.
  const drawn = new WeakSet();
  function drawPreview(canvas) {
    if (drawn.has(canvas)) return;
    drawn.add(canvas);
    const text = atob(canvas.dataset.preview.replace(/-/g, "+").replace(/_/g, "/"));
    const bytes = Uint8Array.from(text, (it) => it.charCodeAt(0));
    const first = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
    const second = bytes[3] | (bytes[4] << 8);
    const isClear = first >> 23;
    const [long, short] = [isClear ? 5 : 7, second & 7];
    const [across, down] = second >> 15 ? [long, short] : [short, long];
    let at = isClear ? 12 : 10;
    const waves = (across, down, scale) => {
      const found = [];
      for (let y = 0; y < down; y += 1) {
        for (let x = y ? 0 : 1; x * down < across * (down - y); x += 1, at += 1) {
          const half = (bytes[at >> 1] >> ((at & 1) * 4)) & 15;
          found.push([x, y, (half / 7.5 - 1) * scale]);
        }
      }
      return found;
    };
    const bright = waves(Math.max(3, across), Math.max(3, down), ((first >> 18) & 31) / 31);
    const yellow = waves(3, 3, (((second >> 3) & 63) / 63) * 1.25);
    const red = waves(3, 3, (((second >> 9) & 63) / 63) * 1.25);
    const clear = isClear ? waves(5, 5, (bytes[5] >> 4) / 15) : [];
    const means = [(first & 63) / 63, ((first >> 6) & 63) / 31.5 - 1, ((first >> 12) & 63) / 31.5 - 1];
    means.push(isClear ? (bytes[5] & 15) / 15 : 1);
    const SIDE = 32;
    const wave = (of, point) => Math.cos((Math.PI / SIDE) * (point + 0.5) * of);
    const small = new ImageData(SIDE, SIDE);
    for (let y = 0; y < SIDE; y += 1) {
      for (let x = 0; x < SIDE; x += 1) {
        const [l, p, q, a] = [bright, yellow, red, clear].map((all, channel) =>
          all.reduce((sum, [of, down, height]) => sum + 2 * height * wave(of, x) * wave(down, y), means[channel]));
        const b = l - (2 / 3) * p;
        const r = (3 * l - b + q) / 2;
        small.data.set([r, r - q, b, a].map((it) => 255 * it), (y * SIDE + x) * 4);
      }
    }
    const cells = document.createElement("canvas");
    cells.width = cells.height = SIDE;
    cells.getContext("2d").putImageData(small, 0, 0);
    canvas.getContext("2d").drawImage(cells, 0, 0, canvas.width, canvas.height);
  }

  // What a message shows it goes on to show when something else about it has changed.
  function carryPictures(old, item, which = "[data-picture]") {
    for (const place of item.querySelectorAll(which)) {
      const there = [...old.querySelectorAll("[data-picture].is-there")];
      const same = there.find((it) => it.dataset.picture === place.dataset.picture && it.tagName === place.tagName);
      if (!same) continue;
      if (item.outerHTML && !came.has(item)) came.set(item, item.outerHTML);
      place.replaceWith(same);
    }
  }

  async function fetchPicture(path, by) {
    const response = await ask(path, undefined, by);
    if (!response.ok) return { trouble: await response.text(), code: response.headers.get("trefoil-code") };
    return { url: URL.createObjectURL(await response.blob()) };
  }

  async function showPicture(place, by) {
    near?.unobserve(place);
    const path = place.dataset.picture;
    const item = place.closest("li");
    if (item && !came.has(item)) came.set(item, item.outerHTML);
    if (!pictures.has(path)) pictures.set(path, inTurn(() => fetchPicture(path, by)));
    const button = place.querySelector("[data-show]");
    if (button) button.disabled = true;
    try {
      const { url, trouble, code } = await pictures.get(path);
      if (url) {
        await putPicture(place, url);
      } else {
        pictures.delete(path);
        if (!by) tell(piece(trouble));
        // it is the file that it is
        place.hidden = code === "file.no_picture";
      }
    } catch (error) {
      pictures.delete(path);
      if (!(error instanceof Locked)) throw error;
    } finally {
      if (button) button.disabled = button.hidden = false;
    }
  }

  async function putPicture(place, url) {
    const image = new Image();
    image.src = url;
    image.alt = place.dataset.name ?? "";
    try {
      await image.decode();
    } catch {
      // behind the picture of a conversation there is a letter
      place.hidden = !("now" in place.dataset);
      return;
    }
    const scroll = document.getElementById("scroll");
    const isAtEnd = scroll && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    if ("small" in place.dataset) {
      place.replaceChildren(image);
    } else {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.enlarge = "";
      button.append(image);
      place.replaceChildren(button);
    }
    place.classList.add("is-there");
    if (isAtEnd) scroll.scrollTop = scroll.scrollHeight;
  }

  function enlarge(button) {
    const large = document.getElementById("large");
    const image = button.querySelector("img").cloneNode();
    large.dataset.of = button.parentElement.dataset.picture;
    large.querySelector("[data-place]").replaceChildren(image);
    large.querySelector("[data-caption]").textContent = image.alt;
    large.showModal();
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-upload]")) upload(event.target);
    if (event.target.matches("[data-choose]")) {
      choose(event.target.form, event.target.files);
      event.target.value = "";
    }
  });

  let toast = 0;
  function tell(fresh) {
    said.replaceChildren(fresh);
    clearTimeout(toast);
    toast = setTimeout(() => said.replaceChildren(), 8000);
  }

  function grow(text) {
    text.rows = Math.min(8, Math.max(1, text.value.split("\n").length));
    while (text.rows < 8 && text.scrollHeight > text.clientHeight + 4) text.rows += 1;
  }

  // A request that somebody looks at: the new device shows its digits then.
  const looked = new Set();
  async function look() {
    const waiting = popup.querySelector("[data-popup]");
    if (waiting) {
      waiting.hidden =
        sessionStorage.getItem("later-" + waiting.dataset.popup) !== null || location.pathname === "/devices";
    }
    if (document.hidden || !document.hasFocus()) return;
    for (const form of document.querySelectorAll("[data-look]")) {
      const device = form.dataset.look;
      if (looked.has(device) || form.closest("[hidden]")) continue;
      looked.add(device);
      const response = await ask("/do/look", { device }, "page");
      if (!response.ok) form.querySelector("[data-answer]")?.replaceChildren(piece(await response.text()));
    }
  }

  function putAside(device) {
    sessionStorage.setItem("later-" + device, "yes");
    look();
    app.querySelector("textarea[data-enter]")?.focus();
  }

  // ---- names, behind an @ ----

  // The name that is begun where one writes.
  function begunName(field) {
    if (field.selectionStart !== field.selectionEnd) return null;
    const before = field.value.slice(0, field.selectionStart);
    return /(?:^|[^\p{L}\p{N}_@])@([\p{L}\p{N}._-]*)$/u.exec(before)?.[1].toLowerCase() ?? null;
  }

  function offerNames(field) {
    const list = document.getElementById("names");
    if (!list) return;
    const begun = begunName(field);
    for (const item of list.children) item.hidden = begun === null || !item.dataset.name.toLowerCase().startsWith(begun);
    markName(field, list, offered(list)[0]);
  }

  function offered(list) {
    return [...list.children].filter((item) => !item.hidden);
  }

  function markName(field, list, marked) {
    list.hidden = !marked;
    for (const item of list.children) item.setAttribute("aria-selected", item === marked);
    if (marked) field.setAttribute("aria-activedescendant", marked.id);
    else field.removeAttribute("aria-activedescendant");
    marked?.scrollIntoView({ block: "nearest" });
  }

  function takeName(field, list, item) {
    const begun = begunName(field) ?? "";
    field.setRangeText(item.dataset.name + " ", field.selectionStart - begun.length, field.selectionStart, "end");
    markName(field, list, null);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // True for a key that was about the names.
  function chooseName(field, key) {
    const list = document.getElementById("names");
    if (!list || list.hidden) return false;
    const all = offered(list);
    const at = all.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (key === "ArrowDown" || key === "ArrowUp") {
      markName(field, list, all[(at + (key === "ArrowDown" ? 1 : all.length - 1)) % all.length]);
    } else if (key === "Enter" || key === "Tab") {
      takeName(field, list, all[Math.max(at, 0)]);
    } else if (key === "Escape") {
      markName(field, list, null);
    } else {
      return false;
    }
    return true;
  }

  // A click on a name takes the cursor from nowhere.
  document.addEventListener("mousedown", (event) => {
    const item = event.target.closest("#names > li");
    if (!item) return;
    event.preventDefault();
    takeName(item.closest("form").elements.text, item.parentElement, item);
  });

  document.addEventListener("focusout", (event) => {
    const list = document.getElementById("names");
    if (list && event.target.matches("textarea[data-enter]")) markName(event.target, list, null);
  });

  document.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(event.target, event.submitter);
  });

  document.addEventListener("click", async (event) => {
    const large = event.target.closest("#large");
    if (large) return large.close();
    const target = event.target.closest("a, button");
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    const href = target.getAttribute("href");
    if (href?.startsWith("/")) {
      event.preventDefault();
      visit(href, "push", target.dataset.at);
    } else if ("menu" in target.dataset) {
      openMenu(target);
    } else if ("answerTo" in target.dataset) {
      beginInMenu("answers");
    } else if ("edit" in target.dataset) {
      beginInMenu("edits");
    } else if ("cancel" in target.dataset) {
      endAbout(target.form);
      target.form.elements.text.focus();
    } else if ("leaveOut" in target.dataset) {
      leaveOut(target.form, Number(target.dataset.leaveOut));
    } else if ("file" in target.dataset) {
      save(target);
    } else if ("asIs" in target.dataset) {
      const form = target.closest("form");
      sendChosen(form, Object.fromEntries(new FormData(form)), true);
    } else if ("show" in target.dataset) {
      showPicture(target.closest("[data-picture]"));
    } else if ("enlarge" in target.dataset) {
      enlarge(target);
    } else if ("goto" in target.dataset) {
      goTo(target.dataset.goto);
    } else if ("older" in target.dataset) {
      older(target);
    } else if ("later" in target.dataset) {
      putAside(target.dataset.later);
    } else if ("copy" in target.dataset) {
      const from = document.getElementById(target.dataset.copy);
      from.select();
      await navigator.clipboard.writeText(from.value);
    } else if ("lock" in target.dataset) {
      await ask("/do/lock", {});
      lock();
    }
  });

  document.addEventListener("input", (event) => {
    if (!event.target.matches("textarea[data-enter]")) return;
    grow(event.target);
    offerNames(event.target);
    clearTimeout(telling);
    telling = setTimeout(() => tellDraft(event.target.form), 2000);
    tellTyping(event.target.form);
  });

  // Whoever is there sees it for some seconds.
  let typed = 0;
  async function tellTyping(form) {
    const conversation = form?.dataset.draft;
    const now = Date.now();
    if (!conversation || !begun(form).trim() || Math.abs(now - typed) < 4000) return;
    typed = now;
    await ask("/do/typing", { conversation }, "page");
  }

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    const isTyping = target.matches("input, textarea");
    const isPlain = !event.isComposing && !event.altKey && !event.shiftKey && !event.ctrlKey && !event.metaKey;
    if (target.matches("textarea[data-enter]") && isPlain && chooseName(target, event.key)) {
      event.preventDefault();
    } else if (target.matches("textarea[data-enter]") && event.key === "Enter" && !event.isComposing) {
      if (event.altKey) {
        event.preventDefault();
        target.setRangeText("\n", target.selectionStart, target.selectionEnd, "end");
        grow(target);
      } else if (!event.shiftKey && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        if (target.value.trim()) target.form.requestSubmit();
      }
    } else if ((event.ctrlKey || event.metaKey) && event.key === "k") {
      event.preventDefault();
      app.querySelector("#side a")?.focus();
    } else if (event.key === "Escape") {
      if (document.getElementById("large")?.open) return;
      if (app.querySelector("[popover]:popover-open") || endAbout(app.querySelector("form.write"))) return;
      const waiting = popup.querySelector("[data-popup]:not([hidden])");
      if (waiting) putAside(waiting.dataset.popup);
    } else if ((event.key === "?" || event.key === "F1") && !isTyping) {
      event.preventDefault();
      visit("/help");
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && target.matches("#side a")) {
      event.preventDefault();
      const all = [...app.querySelectorAll("#side a")];
      all[all.indexOf(target) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    }
  });

  window.addEventListener("popstate", () => visit(location.pathname, "none"));
  window.addEventListener("focus", () => { markRead(); look(); });
  window.addEventListener("blur", () => tellDraft(app.querySelector("form[data-draft]")));

  // ---- the event stream ----

  async function follow() {
    for (let pause = 500; sessionStorage.getItem(TOKEN); pause = Math.min(pause * 2, 15000)) {
      stream = new AbortController();
      try {
        const response = await fetch("/events", {
          headers: { [TOKEN]: sessionStorage.getItem(TOKEN), "trefoil-by": "page" },
          cache: "no-store", credentials: "omit", signal: stream.signal,
        });
        if (response.status === 401) return lock();
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          pause = 500;
          const lines = (rest + value).split("\n");
          rest = lines.pop();
          for (const line of lines) if (line) changed(JSON.parse(line));
        }
      } catch {
        // it broke, or the program has ended: the next tries say which
        if (stream.signal.aborted) return;
        if (pause > 4000) {
          document.getElementById("gone").hidden = false;
          return lock();
        }
      }
      await new Promise((go) => setTimeout(go, pause));
    }
  }

  // ---- start ----

  async function start() {
    const secret = location.hash.slice(1);
    if (secret) {
      // out of sight and out of the history before anything else
      history.replaceState(null, "", location.pathname);
      const response = await fetch("/start", {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
        cache: "no-store", credentials: "omit", redirect: "error",
      });
      if (response.ok) sessionStorage.setItem(TOKEN, (await response.json()).token);
    }
    if (!sessionStorage.getItem(TOKEN)) return lock();
    await visit(location.pathname, "replace");
    follow();
  }

  start();
})();
