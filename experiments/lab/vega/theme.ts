import type { Look } from '../charts.ts';
import { FONT } from '../font.ts';
import { HATCH_INK, HATCH_OPACITY, HATCHES, hatch_width, type Style, style_of } from '../style.ts';

/** A figure's specification counts in points. */
export const POINTS_PER_INCH = 72;

/** Sizes in points. */
export const SIZE = { title: 18, label: 16, tick: 14, note: 11 } as const;

const id_of = (look: Look): string => `fill_${look}`;

/** What a mark's fill is set to; the pattern it names is drawn by `patterns`. */
export const hatched = (look: Look): string => `url(#${id_of(look)})`;

/** Pattern elements for those fills that a picture uses. */
export function patterns(svg: string): string {
  const ids = [...svg.matchAll(/url\(#fill_(\w+)\)/g)].map((match) => match[1] as string);
  return [...new Set(ids)]
    .map((id) => {
      const look = /^\d+$/.test(id) ? Number(id) : (id as Look);
      const tile = `<pattern id="${id_of(look)}" patternUnits="userSpaceOnUse" width="8" height="8">`;
      return `${tile}${strokes(style_of(look))}</pattern>`;
    })
    .join('');
}

function strokes({ color, hatch }: Style): string {
  const ground = `<rect width="8" height="8" fill="${color}"/>`;
  if (HATCHES[hatch] === '') return ground;
  const ink = `stroke="${HATCH_INK}" stroke-width="${hatch_width(hatch)}" stroke-opacity="${HATCH_OPACITY}" stroke-linecap="round"`;
  return `${ground}<path d="${HATCHES[hatch]}" fill="none" ${ink}/>`;
}

/** Text on top of data: a white rim keeps it readable on every fill. */
export const NOTE = { fontSize: SIZE.note, stroke: 'white', strokeWidth: 2.4, fill: 'black' } as const;

/** Lines that are no data: roofs, guides, lines of equal speed. */
export const AID = { line: '#606060', text: '#303030' } as const;

/** Configuration of vega-lite for all figures. */
export const THEME = {
  background: 'transparent',
  padding: 12,
  font: `${FONT}, Arial, sans-serif`,
  aria: false,
  view: { stroke: 'black', strokeWidth: 0.8 },
  title: {
    fontSize: SIZE.title,
    fontWeight: 'bold',
    subtitleFontSize: SIZE.note,
    subtitleLineHeight: 15,
    subtitlePadding: 5,
    offset: 14,
    anchor: 'start',
    limit: 0,
  },
  axis: {
    titleFontSize: SIZE.label,
    titleFontWeight: 'normal',
    titlePadding: 8,
    titleLimit: 0,
    labelFontSize: SIZE.tick,
    labelLimit: 0,
    labelPadding: 4,
    labelFlush: false,
    labelOverlap: false,
    gridColor: '#606060',
    gridOpacity: 0.3,
    domainColor: 'black',
    tickColor: 'black',
  },
  legend: {
    titleFontSize: SIZE.tick,
    titleFontWeight: 'normal',
    titleLimit: 0,
    labelFontSize: SIZE.tick,
    labelLimit: 0,
    symbolSize: 220,
    symbolStrokeWidth: 0.8,
    columnPadding: 18,
    rowPadding: 4,
    orient: 'bottom',
    direction: 'horizontal',
  },
  concat: { spacing: 24 },
} as const;
