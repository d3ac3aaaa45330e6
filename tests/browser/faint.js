// Texts whose contrast with what is painted behind them is below what WCAG asks for (4.5:1).
(() => {
  const at = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    at.clearRect(0, 0, 1, 1); at.fillStyle = text; at.fillRect(0, 0, 1, 1);
    const found = at.getImageData(0, 0, 1, 1).data;
    return [found[0], found[1], found[2], found[3] / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((v, n) => v * top[3] + under[n] * (1 - top[3]));
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const layers = [];
    for (let e = one; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const seen = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && !one.closest(".hidden, .skip, [hidden]") && one.getClientRects().length;
  const faint = [];
  for (const one of document.querySelectorAll("body *")) {
    if (one.closest("svg, canvas, option, select")) continue;
    const own = [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !seen(one)) continue;
    const style = getComputedStyle(one), under = behind(one);
    let opacity = 1;
    for (let e = one; e; e = e.parentElement) opacity *= Number(getComputedStyle(e).opacity);
    const ink = rgba(style.color); ink[3] *= opacity;
    const [a, b] = [light(over(ink, under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return faint;
})()
