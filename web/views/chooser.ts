import { el } from '../../experiments/lab/report/dom.ts';
import { type App, drawn, type Subject } from '../app.ts';
import { MODELS } from '../settings.ts';
import { action, labelled } from './parts.ts';

const GALLERY = [0, 1, 2, 3, 4, 8];
const MOST_PLACES = 100_000;

const ABOUT: Readonly<Record<string, string>> = {
  nano: 'nano: trained on drawn shapes, 4 MB, answers',
  'molmoe-slice': 'molmoe-slice: an eighth of the real blocks, synthetic weights, about 1.5 GB',
  'molmoe-1b': 'molmoe-1b: the real size, synthetic weights, 5 GB and more',
  'molmoe-mini': 'molmoe-mini: small, synthetic weights',
  'molmoe-tiny': 'molmoe-tiny: smallest, synthetic weights',
};

/** Which model, and which picture: drawn here, dropped, pasted or chosen. */
export function chooser(app: App): HTMLElement {
  const model = el(
    'select',
    { id: 'model' },
    ...MODELS.map((name) => el('option', { value: name }, ABOUT[name] ?? name)),
  );
  model.value = app.settings.model;
  model.addEventListener('change', () => {
    app.set({ model: model.value, knobs: {} });
    void app.load();
  });
  const use = (picture: Subject | undefined, place: number | undefined) => {
    app.picture = picture;
    app.answer = undefined;
    app.inside = undefined;
    app.set({ picture: place, prompt: picture?.question ?? '' });
  };
  const open = async (file: Blob, name: string): Promise<void> => {
    const picture = await app.run('Opening the picture', 'decode', [file, name]);
    if (picture !== undefined) use({ ...picture, name }, undefined);
  };
  const gallery = el('div', { class: 'gallery', role: 'group', 'aria-label': 'Pictures' });
  for (const place of GALLERY) {
    const picture = drawn(place) as Subject;
    const thumb = el('canvas', { width: String(picture.width), height: String(picture.height), 'aria-hidden': 'true' });
    const node = action('', () => use(drawn(place), place), {
      class: 'thumb',
      'aria-label': `picture ${place}: ${picture.question}`,
      title: picture.question ?? '',
    });
    paint_small(thumb, picture);
    node.append(thumb);
    gallery.append(node);
  }
  gallery.append(
    action('Draw another', () => {
      const place = Math.floor(Math.random() * MOST_PLACES);
      use(drawn(place), place);
    }),
    action('No picture', () => use(undefined, undefined)),
  );
  const file = el('input', { id: 'file', type: 'file', accept: 'image/png,image/jpeg,image/webp,image/gif' });
  file.addEventListener('change', () => {
    const [first] = file.files ?? [];
    if (first !== undefined) void open(first, first.name);
    file.value = '';
  });
  const node = el(
    'div',
    { class: 'chooser' },
    labelled('Model', model),
    gallery,
    labelled('Your own picture', file, 'or drop one here, or paste it'),
  );
  const take = (event: Event, items: DataTransfer | null) => {
    const found = [...(items?.files ?? [])][0];
    if (found === undefined) return;
    event.preventDefault();
    void open(found, found.name || 'a pasted picture');
  };
  node.addEventListener('dragover', (event) => event.preventDefault());
  node.addEventListener('drop', (event) => take(event, event.dataTransfer));
  document.addEventListener('paste', (event) => take(event, event.clipboardData));
  return node;
}

function paint_small(canvas: HTMLCanvasElement, { width, height, rgb }: Subject): void {
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  const image = pen.createImageData(width, height);
  for (let from = 0, to = 0; from < rgb.length; to += 4) {
    image.data.set(rgb.subarray(from, from + 3), to);
    image.data[to + 3] = 255;
    from += 3;
  }
  pen.putImageData(image, 0, 0);
}
