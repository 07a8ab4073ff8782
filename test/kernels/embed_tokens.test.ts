import { describe, expect, it } from 'vitest';
import { embed_tokens } from '../../kernels/embed_tokens/embed_tokens.ts';
import { FORMATS, round_up } from '../../kernels/spec.ts';
import { embed_tokens as reference } from '../reference/embed_tokens.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { PLAIN_FORMATS, packed_rows, stored } from '../support/weights.ts';

for (const mode of ['validated', 'release'] as const) {
  describe(`embed_tokens ${mode}`, async () => {
    const e = await test_executor('auto', { mode });
    for (const format of PLAIN_FORMATS) {
      for (const [rows, d, count, slice] of [
        [1, 4, 1, 1],
        [17, 72, 331, 100],
        [5, 20, 13, 13],
        [2, 2048, 5, 2],
      ] as const) {
        it(`${rows}x${d} ${format} from ${count} ids in slices of ${slice}`, async () => {
          const x_stride = round_up(d, 8) + 8;
          const table = stored(noise(count * d, 1), count, d, format);
          // Every slice's edges, ids beyond the table, and entries before id_row0 that must not be read.
          const wanted = [count - 1, 0, slice, slice - 1, count, 0xffffffff, slice + 1];
          const ids = Uint32Array.from({ length: rows + 3 }, (_, i) => (i < 3 ? 7 : (wanted[(i - 3) % 7] as number)));
          const before = new Float32Array((rows + 4) * x_stride).fill(1000);
          const x = upload(e, before);
          const id_buffer = upload(e, ids);
          const p = { rows, d, x_stride, id_row0: 3, x_row0: 2 };
          for (let first_id = 0; first_id < count; first_id += slice) {
            const id_count = Math.min(slice, count - first_id);
            const part = table.subarray(first_id * d, (first_id + id_count) * d);
            e.dispatch(
              embed_tokens,
              { ids: id_buffer, weights: upload(e, packed_rows(part, id_count, d, format)), x },
              { ...p, first_id, id_count, rows_counted: rows },
              { WEIGHT_FORMAT: FORMATS[format] },
              TAG,
            );
          }
          const got = await download_f32(e, x, before.length);
          expect(largest_difference(got, reference(ids, table, before, p))).toBe(0);
        });
      }
    }
  });
}
