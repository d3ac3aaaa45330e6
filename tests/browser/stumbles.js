// What assistive technology would stumble over, as the rules of axe say it.
(() => {
  const found = [];
  for (const one of document.querySelectorAll("a[href], button, input:not([type=hidden]):not([hidden]), select, summary, svg a")) {
    const label = one.getAttribute("aria-label"), words = one.innerText?.trim() ?? "";
    if (label && words && !label.toLowerCase().includes(words.toLowerCase())) found.push(`name mismatch: ${label}`);
    const name = label || one.textContent.trim() || one.labels?.length || one.title;
    if (!name) found.push(`no name: ${one.outerHTML.slice(0, 80)}`);
  }
  for (const one of document.querySelectorAll("[role=img] a[href], a a, button a, a button")) found.push(`nested: ${one.outerHTML.slice(0, 80)}`);
  for (const box of document.querySelectorAll(".scroll, pre")) {
    const over = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (over && !box.matches("[tabindex]") && !box.querySelector("a[href], button, [tabindex='0']")) found.push(`not scrollable by keyboard: ${box.className}`);
  }
  for (const one of document.querySelectorAll("th")) if (!one.textContent.trim()) found.push(`empty heading: ${one.outerHTML}`);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size < ids.length) found.push("ids twice");
  return found;
})()
