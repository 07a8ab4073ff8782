import { text_width } from '../../experiments/lab/font.ts';

/** Where ink of something lies on a page, in points. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface TextBox extends Box {
  readonly text: string;
  /** `role-axis-title`, `role-legend-label` ...; `role-mark` on data. */
  readonly role: string;
  /** Neither lying nor upright: its ink fills little of its box. */
  readonly turned: boolean;
}

/** Something drawn from data: a bar, a cell, a span; or a marker, whose box is its middle alone. */
export interface MarkBox extends Box {
  readonly fill: string;
}

type Place = (x: number, y: number) => [number, number];

const UNESCAPED: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };

/** Lines of text, frames of plots and marks in a figure's SVG, as the nested groups place them. */
export function boxes_of(svg: string): {
  page: Box;
  texts: TextBox[];
  plots: Box[];
  fields: MarkBox[];
  points: MarkBox[];
} {
  const [left = 0, top = 0, width = 0, height = 0] = (/viewBox="([^"]*)"/.exec(svg)?.[1] ?? '').split(' ').map(Number);
  const texts: TextBox[] = [];
  const plots: Box[] = [];
  const fields: MarkBox[] = [];
  const points: MarkBox[] = [];
  const stack: { place: Place; role: string }[] = [{ place: (x, y) => [x, y], role: '' }];
  for (const [, closing, attributes = '', bare, path, text_attributes, content = '', mark] of svg.matchAll(
    /<(\/g)>|<g([^>]*?)(\/?)>|<path class="background"([^>]*)>|<text([^>]*?)(?:\/>|>(.*?)<\/text>)|<path ((?:transform|d)=[^>]*)>/gs,
  )) {
    const { place, role } = stack.at(-1) as (typeof stack)[number];
    if (closing !== undefined) stack.pop();
    else if (path !== undefined) {
      if (path.includes('stroke="black"')) plots.push(frame(path, place));
    } else if (mark !== undefined) {
      const fill = /fill="([^"]*)"/.exec(mark)?.[1] ?? '';
      // Caps of error bars and medians are black.
      if (role !== 'role-mark' || fill === 'black') continue;
      if (/^d="M[-\d.,e]+h[-\d.e]+v/.test(mark)) fields.push({ fill, ...frame(mark, place) });
      else if (mark.startsWith('transform')) points.push({ fill, ...around([nested(mark, place)(0, 0)]) });
    } else if (text_attributes !== undefined) {
      const rows = [...content.matchAll(/<tspan[^>]*>(.*?)<\/tspan>/gs)].map((row) => row[1] as string);
      const dy = Number(/dy="([\d.]+)"/.exec(content)?.[1] ?? 0);
      (rows.length > 0 ? rows : [content]).forEach((row, i) => {
        const text = row.replaceAll(/&\w+;/g, (escaped) => UNESCAPED[escaped] ?? escaped);
        const turned = Number(/rotate\(([-\d.]+)\)/.exec(text_attributes)?.[1] ?? 0) % 90 !== 0;
        if (text.trim() !== '') texts.push({ text, role, turned, ...line_box(text, text_attributes, i * dy, place) });
      });
    } else if (bare === '') {
      const own = /class="[^"]*(role-[\w-]+)/.exec(attributes)?.[1];
      stack.push({ place: nested(attributes, place), role: own ?? role });
    }
  }
  return { page: { left, top, right: left + width, bottom: top + height }, texts, plots, fields, points };
}

function nested(attributes: string, outer: Place): Place {
  const [, tx = 0, ty = 0] = (/translate\(([-\d.e]+),([-\d.e]+)\)/.exec(attributes) ?? []).map(Number);
  const angle = (Number(/rotate\(([-\d.]+)\)/.exec(attributes)?.[1] ?? 0) * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return (x, y) => outer(tx + x * cos - y * sin, ty + x * sin + y * cos);
}

const around = (corners: readonly (readonly [number, number])[]): Box => ({
  left: Math.min(...corners.map(([x]) => x)),
  right: Math.max(...corners.map(([x]) => x)),
  top: Math.min(...corners.map(([, y]) => y)),
  bottom: Math.max(...corners.map(([, y]) => y)),
});

function frame(path: string, place: Place): Box {
  const [, x = 0, y = 0, w = 0, h = 0] = (/d="M([-\d.e]+),([-\d.e]+)h([-\d.e]+)v([-\d.e]+)/.exec(path) ?? []).map(
    Number,
  );
  return around([place(x, y), place(x + w, y + h)]);
}

/** From the top of a capital to the bottom of a descender: 0.73 and 0.24 of DejaVu's size. */
function line_box(text: string, attributes: string, dy: number, outer: Place): Box {
  const place = nested(attributes, outer);
  const size = Number(/font-size="([\d.]+)px"/.exec(attributes)?.[1]);
  const width = text_width(text, size, attributes.includes('font-weight="bold"') ? 'bold' : 'normal');
  const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1];
  const left = anchor === 'middle' ? -width / 2 : anchor === 'end' ? -width : 0;
  return around([place(left, dy - 0.73 * size), place(left + width, dy + 0.24 * size)]);
}

/** By how much two boxes cover each other in the direction in which they do so least; negative where they do not. */
export const overlap = (a: Box, b: Box): number =>
  Math.min(
    Math.min(a.right, b.right) - Math.max(a.left, b.left),
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top),
  );
