"use strict";
const tip = document.getElementById("tip");

function point(event) {
  const marked = event.target.closest("[data-tip]");
  tip.hidden = !marked;
  if (!marked) return;
  tip.textContent = marked.dataset.tip;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, innerWidth - width - 8);
  const above = event.clientY - height - 12;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above > 8 ? above : event.clientY + 18}px`;
}

async function copy(button) {
  const code = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
}

for (const name of ["pointermove", "pointerdown"]) document.addEventListener(name, point);
for (const name of ["scroll", "pointerleave"]) document.addEventListener(name, () => { tip.hidden = true; });
for (const button of document.querySelectorAll("button")) button.addEventListener("click", () => copy(button));
