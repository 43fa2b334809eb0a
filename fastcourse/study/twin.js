// Moves the pictures of a twin (fastcourse.study.twins). It stands in the page, at the end of the twin's own element.
(twin => {
  const data = JSON.parse(twin.querySelector("script").textContent), [number, height, width] = data.shape;
  const dials = data.dials.filter(dial => dial.kind !== "fixed"), inputs = [...twin.querySelectorAll("input, select")];
  const image = twin.querySelector("img"), canvas = document.createElement("canvas");
  const place = input => input.type === "checkbox" ? +input.checked : +(input.selectedIndex ?? input.value);
  const unpack = async () => {
    const bytes = Uint8Array.from(atob(data.pixels), letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  let pixels;
  twin.querySelector("fieldset").disabled = false;
  twin.addEventListener("input", async () => {
    for (const [i, input] of inputs.entries()) if (input.type === "range") {
      input.nextElementSibling.textContent = dials[i].labels[place(input)];
      input.setAttribute("aria-valuetext", dials[i].labels[place(input)]);
    }
    const all = await (pixels ??= unpack());
    const at = data.frames[inputs.reduce((sum, input, i) => sum * dials[i].labels.length + place(input), 0)];
    const [w, h, alt] = data.pictures[at], context = Object.assign(canvas, { width: w, height: h }).getContext("2d");
    const shown = context.createImageData(w, h);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
      const color = 6 * all[(y * number + at) * width + x], rgb = parseInt(data.palette.slice(color, color + 6), 16);
      shown.data.set([rgb >> 16, rgb >> 8 & 255, rgb & 255, 255], 4 * (y * w + x));
    }
    context.putImageData(shown, 0, 0);
    Object.assign(image, { src: canvas.toDataURL(), alt, width: Math.round(w * 0.8) });
  });
})(document.currentScript.parentElement);
