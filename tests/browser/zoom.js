// Dragging over the middle of the curve, as a reader does.
(() => {
  const over = document.querySelector(".u-over"), box = over.getBoundingClientRect();
  const at = (type, share) => over.dispatchEvent(new MouseEvent(type, { bubbles: true, button: 0,
    clientX: box.left + share * box.width, clientY: box.top + box.height / 2, movementX: 1 }));
  at("mouseenter", 0.2); at("mousemove", 0.2); at("mousedown", 0.2); at("mousemove", 0.5);
  document.dispatchEvent(new MouseEvent("mousemove", { clientX: box.left + 0.5 * box.width, clientY: box.top + 10, movementX: 9 }));
  at("mouseup", 0.5);
  document.dispatchEvent(new MouseEvent("mouseup", { clientX: box.left + 0.5 * box.width, clientY: box.top + 10, bubbles: true }));
})()
