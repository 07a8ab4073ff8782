import fc from 'fast-check';
import { expect, it } from 'vitest';
import { axis_of } from '../../../experiments/lab/vega/axes.ts';

it('a logarithmic axis has ticks within it, however short it is and however long its labels are', () => {
  const value = fc.double({ min: 1e-3, max: 1e15, noNaN: true });
  fc.assert(
    fc.property(
      value,
      fc.double({ min: 1, max: 1e4, noNaN: true }),
      fc.integer({ min: 60, max: 500 }),
      (least, by, length) => {
        const axis = axis_of({ label: 'Work (FLOP)', scale: 'log' }, [least, least * by], { length, standing: false });
        const ticks = axis.channel('x').axis.values;
        const [low, high] = axis.domain;
        expect(ticks.length).toBeGreaterThan(0);
        expect(ticks.filter((tick) => tick < low || tick > high)).toEqual([]);
      },
    ),
  );
});
