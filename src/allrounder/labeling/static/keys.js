// Keys: nothing fires while a text field has the focus, none on the main path needs a modifier.

const TYPED = new Set(["text", "search", "number", "password", "email", "url"]);

export function isTyping(node) {
  return (
    node instanceof HTMLTextAreaElement ||
    (node instanceof HTMLInputElement && TYPED.has(node.type)) ||
    node?.isContentEditable
  );
}

export function listen(page) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.shiftKey)
      return done(event, page.undo());
    if (event.ctrlKey || event.metaKey) return;
    const isElsewhere =
      event.target.closest?.("button, a, summary") && !event.target.closest(".card");
    if (isElsewhere && (event.key === " " || event.key === "Enter")) return;
    if (pressed(page, event)) event.preventDefault();
  });
}

function done(event, _) {
  event.preventDefault();
}

function pressed(page, event) {
  const letter = event.key.toLowerCase();
  if (event.key === "?") return yes(page.help());
  if (event.repeat && !event.key.startsWith("Arrow") && !"+-".includes(event.key))
    return event.key === " " || event.key === "Backspace";
  if (event.key === "Backspace") return yes(page.undo());
  if (letter === "g" && !event.altKey) return yes(page.guidelines());
  if (letter === "r" && !event.altKey) return page.rule();
  if (letter === "p" && page.view?.sounds.length) return yes(page.view.sounds[0].toggle());
  const card = page.card;
  if (!card) return false;
  if (event.key === "Enter") return event.shiftKey && card.keep() ? true : yes(card.enter());
  if (event.key === " ") return yes(page.work.say("skip"));
  if (letter === "f" && !event.altKey) return yes(page.work.say("flag"));
  if (letter === "t" && (card.area || card.field)) return yes((card.area ?? card.field).focus());
  return moved(page, card, event) || answered(card, event, letter);
}

function moved(page, card, event) {
  const picture = page.view.pictures[0];
  if (picture && (event.key === "+" || event.key === "=")) return yes(picture.by(1.4));
  if (picture && event.key === "-" && !card.field) return yes(picture.by(1 / 1.4));
  if (!event.key.startsWith("Arrow")) return false;
  const upright = event.key === "ArrowUp" || event.key === "ArrowDown";
  if (card.field && upright && event.target.type !== "range")
    return yes(card.nudge(event.key === "ArrowUp" ? 1 : -1, event.shiftKey));
  if (card.list && !upright) return yes(card.arrow(event));
  if (picture && picture.zoom > 1) {
    const far = 60;
    const ways = {
      ArrowLeft: [far, 0],
      ArrowRight: [-far, 0],
      ArrowUp: [0, far],
      ArrowDown: [0, -far],
    };
    return yes(picture.move(...ways[event.key]));
  }
  if (page.view.sounds.length && !upright && !page.view.sounds[0].audio.paused)
    return yes(page.view.sounds[0].step(event.key === "ArrowRight" ? 2 : -2));
  return false;
}

function answered(card, event, letter) {
  if (event.altKey) return false;
  if (card.list && (event.key === "Delete" || (letter === "x" && card.chosen)))
    return yes(card.remove());
  if (card.field && /^[0-9.,-]$/.test(event.key)) {
    card.field.value = "";
    card.field.focus(); // the browser types the figure into it
    return false;
  }
  return card.key(letter);
}

const yes = () => true;
