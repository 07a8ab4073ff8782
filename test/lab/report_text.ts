/** Both functions run inside the page: they must not refer to anything outside themselves. */

interface Written {
  readonly text: string;
  readonly corners: readonly (readonly [number, number])[];
}

/** Remembers where text was written on each canvas since it was last cleared. */
export function record_text(): void {
  const written = new Map<HTMLCanvasElement, Written[]>();
  Object.assign(window, { written });
  const pen = CanvasRenderingContext2D.prototype;
  const { fillText, clearRect } = pen;
  pen.clearRect = function (x, y, width, height) {
    if (width >= this.canvas.width) written.set(this.canvas, []);
    clearRect.call(this, x, y, width, height);
  };
  pen.fillText = function (text, x, y, limit) {
    const size = this.measureText(text);
    const [left, right] = [x - size.actualBoundingBoxLeft, x + size.actualBoundingBoxRight];
    const [top, bottom] = [y - size.actualBoundingBoxAscent, y + size.actualBoundingBoxDescent];
    const { a, b, c, d, e, f } = this.getTransform();
    const place = (px: number, py: number) => [a * px + c * py + e, b * px + d * py + f] as const;
    const corners = [place(left, top), place(right, top), place(left, bottom), place(right, bottom)];
    const list = written.get(this.canvas) ?? [];
    written.set(this.canvas, [...list, { text, corners }]);
    if (limit === undefined) fillText.call(this, text, x, y);
    else fillText.call(this, text, x, y, limit);
  };
}

/** Texts of one chart that touch each other or are cut at its edge. */
export function overlaps(): { charts: number; texts: number; found: string[] } {
  const { written } = window as unknown as { written: Map<HTMLCanvasElement, Written[]> };
  type Box = { text: string; left: number; right: number; top: number; bottom: number };
  const charts: { place: string; width: number; height: number; boxes: Box[] }[] = [];
  for (const [canvas, list] of written) {
    if (!canvas.isConnected) continue;
    const boxes = list.map(({ text, corners }) => {
      const x = corners.map(([px]) => px);
      const y = corners.map(([, py]) => py);
      return { text, left: Math.min(...x), right: Math.max(...x), top: Math.min(...y), bottom: Math.max(...y) };
    });
    charts.push({ place: canvas.closest('section')?.id ?? '', width: canvas.width, height: canvas.height, boxes });
  }
  for (const picture of document.querySelectorAll('.chart svg')) {
    const around = picture.getBoundingClientRect();
    const boxes = [...picture.querySelectorAll('text')].map((node) => {
      const { left, right, top, bottom } = node.getBoundingClientRect();
      const [x, y] = [around.left, around.top];
      // A line of text is a good deal higher than its letters.
      const spare = (bottom - top) / 5;
      return {
        text: node.textContent ?? '',
        left: left - x,
        right: right - x,
        top: top - y + spare,
        bottom: bottom - y - spare,
      };
    });
    const figure =
      picture.closest('[data-figure]')?.getAttribute('data-figure') ?? picture.closest('section')?.id ?? '';
    charts.push({ place: figure, width: around.width, height: around.height, boxes });
  }
  const found: string[] = [];
  for (const { place, width, height, boxes } of charts) {
    for (const [i, one] of boxes.entries()) {
      if (one.left < -1 || one.top < -1 || one.right > width + 1 || one.bottom > height + 1) {
        found.push(`${place}: "${one.text}" is cut`);
      }
      for (const other of boxes.slice(0, i)) {
        const apart =
          one.left >= other.right || other.left >= one.right || one.top >= other.bottom || other.top >= one.bottom;
        if (!apart) found.push(`${place}: "${one.text}" over "${other.text}"`);
      }
    }
  }
  return { charts: charts.length, texts: charts.reduce((sum, { boxes }) => sum + boxes.length, 0), found };
}
