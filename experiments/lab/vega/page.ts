import type { TopLevelSpec } from 'vega-lite';
import { text_width } from '../font.ts';
import { POINTS_PER_INCH, patterns, SIZE, THEME } from './theme.ts';

type Row = Extract<TopLevelSpec, { hconcat: unknown }>;
type Layered = Extract<Row['hconcat'][number], { layer: unknown }>;
export type Layer = Layered['layer'][number];

/** What a plot may take, in points. */
export interface Room {
  readonly width: number;
  readonly height: number;
}

export interface Panel {
  readonly view?: { stroke: null };
  readonly title?: Layered['title'];
  readonly layer: Layer[];
}

export interface Page {
  readonly width_in: number;
  readonly height_in: number;
  readonly title: { text: string[]; subtitle: string[] };
  /** Whether panels have legends of their own. */
  readonly legends: 'shared' | 'own';
  /** Panels side by side, all with the same room; what is drawn and written in them depends on it. */
  readonly panels: (room: Room) => readonly Panel[];
}

/** Ticks and labels change with a panel's room, and the room for them with the ticks: that settles after three. */
const SIZINGS = 3;
const LEAST_POINTS = 40;

/** The page as SVG. */
export async function draw_page(page: Page): Promise<string> {
  const [width, height] = [page.width_in * POINTS_PER_INCH, page.height_in * POINTS_PER_INCH];
  // Panels are sized without the words of the heading: those may be wider than what they stand above.
  const blank = { text: page.title.text.map(() => ' '), subtitle: page.title.subtitle.map(() => ' ') };
  const count = page.panels({ width, height }).length;
  let room: Room = { width: width / count - 90, height: height - 200 };
  for (let i = 0; i < SIZINGS; i++) {
    const sized = await layout({ ...page, title: blank }, room);
    room = {
      width: Math.max(room.width + (width - sized.width) / count, LEAST_POINTS),
      height: Math.max(room.height + height - sized.height, LEAST_POINTS),
    };
  }
  const drawn = await layout(page, room);
  // What could not be made small enough is shrunk as a whole rather than cut off.
  const shrink = Math.max(1, drawn.width / width, drawn.height / height);
  const box = [
    (drawn.width - width * shrink) / 2,
    (drawn.height - height * shrink) / 2,
    width * shrink,
    height * shrink,
  ].map((x) => +x.toFixed(2));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${page.width_in}in" height="${page.height_in}in" viewBox="${box.join(' ')}">` +
    `<defs>${patterns(drawn.body)}</defs>` +
    `<rect x="${box[0]}" y="${box[1]}" width="${box[2]}" height="${box[3]}" fill="white"/>${drawn.body}</svg>\n`
  );
}

/** What vega-lite warns of is drawn otherwise than described. */
const STRICT = {
  level: () => 0,
  error: fail,
  warn: fail,
  info: () => STRICT,
  debug: () => STRICT,
};

function fail(...messages: unknown[]): never {
  throw new Error(`figure: ${messages.join(' ')}`);
}

interface Drawn {
  readonly width: number;
  readonly height: number;
  readonly body: string;
}

const CHANNELS = ['fill', 'stroke', 'shape', 'strokeDash'] as const;

async function layout({ title, legends, panels }: Page, room: Room): Promise<Drawn> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  measure_with_font(vega);
  vega.resetSVGDefIds();
  const resolved = legends === 'own' ? ('independent' as const) : ('shared' as const);
  const spec: TopLevelSpec = {
    title,
    resolve: { scale: Object.fromEntries(CHANNELS.map((name) => [name, resolved])) },
    hconcat: panels(room).map((panel) => ({ ...panel, ...room })),
  };
  const { spec: compiled } = compile({ ...spec, config: THEME }, { logger: STRICT });
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logLevel: vega.None });
  const svg = await view.toSVG();
  view.finalize();
  const [, open = '', width, height] = svg.match(/^(<svg[^>]* width="([\d.]+)" height="([\d.]+)"[^>]*>)/) ?? [];
  // A rim of text lies behind its letters.
  const body = svg.slice(open.length, -'</svg>'.length).replaceAll('<text ', '<text paint-order="stroke" ');
  return { width: Number(width), height: Number(height), body };
}

/** Without a canvas vega guesses how wide text is; its types do not show the hook. */
function measure_with_font(vega: object): void {
  const { textMetrics } = vega as {
    textMetrics: { width: (item: { fontSize?: number; fontWeight?: string }, text: string | null) => number };
  };
  textMetrics.width = ({ fontSize = SIZE.note, fontWeight }, text) =>
    text_width(String(text ?? '').trim(), fontSize, fontWeight === 'bold' ? 'bold' : 'normal');
}
