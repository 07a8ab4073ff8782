import type { TopLevelSpec } from 'vega-lite';
import { POINTS_PER_INCH, patterns, THEME } from './figure_theme.ts';
import { FONT, font_file, text_width } from './font.ts';
import { with_dpi } from './png.ts';

type Row = Extract<TopLevelSpec, { hconcat: unknown }>;

/** One chart with axes of its own. Its width and height are a share of what the page leaves, in points. */
export type Panel = Row['hconcat'][number] & { width: number; height: number };

export interface Figure {
  /** File name without its ending. */
  readonly name: string;
  readonly width_in: number;
  readonly height_in: number;
  /** Panels side by side; `render` sizes them so that all fills the page. */
  readonly spec: Omit<Row, 'title' | 'hconcat'> & { title: { text: string; subtitle: string[] }; hconcat: Panel[] };
}

const DPI = 300;
/** Ticks change with a panel's size, and the room for them with the ticks: that settles after two. */
const SIZINGS = 2;
const LEAST_POINTS = 40;

/** The picture as text and as pixels, the same on every machine. */
export async function render(figure: Figure): Promise<{ svg: string; png: Uint8Array }> {
  const svg = await draw(figure);
  const { Resvg } = await import('@resvg/resvg-js');
  const image = new Resvg(svg, {
    font: {
      loadSystemFonts: false,
      fontFiles: [font_file('normal'), font_file('bold')],
      defaultFontFamily: FONT,
    },
    fitTo: { mode: 'width', value: Math.round(figure.width_in * DPI) },
  });
  return { svg, png: with_dpi(image.render().asPng(), DPI) };
}

/** The picture as text alone: a good deal quicker. */
export async function draw({ spec, width_in, height_in }: Figure): Promise<string> {
  const page = { width: width_in * POINTS_PER_INCH, height: height_in * POINTS_PER_INCH };
  // Panels are sized without the words of the heading: those may be wider than what they stand above.
  const blank = { text: ' ', subtitle: spec.title.subtitle.map(() => ' ') };
  let panels = spec.hconcat;
  for (let i = 0; i < SIZINGS; i++) {
    const sized = await layout({ ...spec, title: blank, hconcat: panels });
    const wider = (page.width - sized.width) / panels.length;
    const higher = page.height - sized.height;
    panels = panels.map((panel) => ({
      ...panel,
      width: Math.max(panel.width + wider, LEAST_POINTS),
      height: Math.max(panel.height + higher, LEAST_POINTS),
    }));
  }
  const drawn = await layout({ ...spec, hconcat: panels });
  // What could not be made small enough is shrunk as a whole rather than cut off.
  const shrink = Math.max(1, drawn.width / page.width, drawn.height / page.height);
  const width = page.width * shrink;
  const height = page.height * shrink;
  const box = [(drawn.width - width) / 2, (drawn.height - height) / 2, width, height].map((x) => +x.toFixed(2));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width_in}in" height="${height_in}in" viewBox="${box.join(' ')}">` +
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

async function layout(spec: Figure['spec']): Promise<Drawn> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  measure_with_font(vega);
  vega.resetSVGDefIds();
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
  textMetrics.width = ({ fontSize = 11, fontWeight }, text) =>
    text_width(String(text ?? '').trim(), fontSize, fontWeight === 'bold' ? 'bold' : 'normal');
}
