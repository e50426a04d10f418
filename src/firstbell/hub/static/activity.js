// A plot as PNG: the file's SVG, drawn by the browser, twice as large as on the page.
"use strict";

const LARGER = 2;

async function asPng(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(String(answer.status));
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await answer.text())}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth * LARGER;
  canvas.height = picture.naturalHeight * LARGER;
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

for (const button of document.querySelectorAll("[data-png]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await asPng(button.dataset.png));
      link.download = button.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch {
      button.textContent = "PNG (that failed; please try again)";
    } finally {
      button.disabled = false;
    }
  });
}
