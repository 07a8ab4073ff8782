interface Brand {
  readonly brand: string;
  readonly version: string;
}

/** "Chromium 156": by its brands where it tells them, else by the end of its user agent. */
export function browser_name(): string {
  const { userAgentData, userAgent } = navigator as Navigator & {
    readonly userAgentData?: { readonly brands: Brand[] };
  };
  const brands = userAgentData?.brands.filter(({ brand }) => !/not.?a.?brand/i.test(brand)) ?? [];
  const own = brands.find(({ brand }) => brand !== 'Chromium') ?? brands[0];
  if (own !== undefined) return `${own.brand} ${own.version}`;
  const [, name, version] = /(Firefox|Chrome|Version)\/(\d+)/.exec(userAgent) ?? [];
  if (name === undefined) return 'a browser';
  return `${name === 'Version' ? 'Safari' : name} ${version}`;
}

/** Smallest step that the host's clock was seen to make: browsers round it, to 5 us where a page is isolated. */
export function clock_step_ms(): number {
  let least = Number.POSITIVE_INFINITY;
  const until = performance.now() + 30;
  for (let before = performance.now(); before < until; ) {
    const now = performance.now();
    if (now > before) least = Math.min(least, now - before);
    before = now;
  }
  return Number(least.toFixed(4));
}
