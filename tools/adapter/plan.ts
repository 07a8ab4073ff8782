/** Decisions of the setup where a machine has no adapter: pure, so that a test can put any machine before them. */

export interface OsRelease {
  id: string;
  like: readonly string[];
  codename: string;
  version: number;
}

export interface Machine {
  platform: string;
  arch: string;
  os: OsRelease;
  /** May install packages: root, or sudo without a password. */
  may_install: boolean;
  has_apt: boolean;
}

export type Step = { kind: 'apt'; backports: boolean } | { kind: 'swiftshader' };

export function parse_os_release(text: string): OsRelease {
  const field = (name: string): string =>
    new RegExp(`^${name}=(.*)$`, 'm')
      .exec(text)?.[1]
      ?.trim()
      .replace(/^["']|["']$/g, '') ?? '';
  return {
    id: field('ID'),
    like: field('ID_LIKE').split(' ').filter(Boolean),
    codename: field('VERSION_CODENAME'),
    version: Number.parseFloat(field('VERSION_ID')) || Number.POSITIVE_INFINITY, // Debian's testing has no number
  };
}

/** What to try, in order; each is proved by a probe, and after the last one only advice is left. */
export function fallback_steps(machine: Machine): Step[] {
  const steps: Step[] = [];
  if (machine.platform !== 'linux') return steps;
  const { id, like, version } = machine.os;
  if (machine.may_install && machine.has_apt) {
    // Dawn wants Mesa 23 or newer: Debian 12 has that only in its backports, older releases have it nowhere.
    if (id === 'debian' && version >= 12) steps.push({ kind: 'apt', backports: version < 13 });
    if (id === 'ubuntu' ? version >= 22 : like.includes('ubuntu')) steps.push({ kind: 'apt', backports: false });
  }
  if (machine.arch === 'x64') steps.push({ kind: 'swiftshader' });
  return steps;
}

/** One line for the user of a machine on which nothing worked. */
export function install_advice(platform: string, os: OsRelease): string {
  if (platform !== 'linux') return 'update the graphics driver';
  const family = [os.id, ...os.like];
  const backports = os.id === 'debian' && os.version < 13 ? `-t ${os.codename}-backports ` : '';
  const command = family.some((name) => name === 'debian' || name === 'ubuntu')
    ? `apt-get install ${backports}mesa-vulkan-drivers libvulkan1`
    : family.some((name) => name === 'fedora' || name === 'rhel')
      ? 'dnf install mesa-vulkan-drivers vulkan-loader'
      : family.includes('arch')
        ? 'pacman -S vulkan-swrast vulkan-icd-loader'
        : "your distribution's Mesa Vulkan drivers (23 or newer) and Vulkan loader";
  return `install the GPU's Vulkan driver, or the software one: ${command}`;
}

export interface AptEntry {
  uri: string;
  suites: readonly string[];
  components: readonly string[];
  /** deb822 field -> value, of those that say how far the mirror is trusted. */
  options: Readonly<Record<string, string>>;
}

const KEPT_OPTIONS = ['Signed-By', 'Trusted', 'Check-Valid-Until'];

/** Reads a file of /etc/apt, in either of its two formats. */
export function parse_apt_sources(name: string, text: string): AptEntry[] {
  return name.endsWith('.sources') ? parse_deb822(text) : parse_one_line(text);
}

function parse_deb822(text: string): AptEntry[] {
  const entries: AptEntry[] = [];
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith('#'));
  for (const stanza of lines.join('\n').split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    // A value may go on in lines that begin with a blank: a key written into the file does.
    for (const [, key = '', value = ''] of stanza.matchAll(/^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm)) {
      fields.set(key.toLowerCase(), value.trimEnd());
    }
    const words = (key: string): string[] => (fields.get(key) ?? '').split(/\s+/).filter(Boolean);
    if (!words('types').includes('deb') || /^no$/i.test(fields.get('enabled') ?? '')) continue;
    const options: Record<string, string> = {};
    for (const key of KEPT_OPTIONS) {
      const value = fields.get(key.toLowerCase());
      if (value) options[key] = value;
    }
    for (const uri of words('uris')) {
      entries.push({ uri, suites: words('suites'), components: words('components'), options });
    }
  }
  return entries;
}

function parse_one_line(text: string): AptEntry[] {
  const entries: AptEntry[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (!match) continue;
    const [, bracket = '', uri = '', suite = '', components = ''] = match;
    const options: Record<string, string> = {};
    for (const [, key = '', value = ''] of bracket.matchAll(/([a-z-]+)=(\S+)/g)) {
      const kept = KEPT_OPTIONS.find((name) => name.toLowerCase() === key);
      if (kept) options[kept] = value;
    }
    entries.push({ uri, suites: [suite], components: components.split(/\s+/).filter(Boolean), options });
  }
  return entries;
}

/**
 * The backports source that goes with the machine's own mirror, as the text of a .sources file; `undefined` where the
 * machine has one already.
 */
export function backports_source(entries: readonly AptEntry[], codename: string): string | undefined {
  const suite = `${codename}-backports`;
  if (entries.some((entry) => entry.suites.includes(suite) && entry.components.includes('main'))) return undefined;
  // Other vendors name their suites after Debian's releases too, but only Debian's own mirrors carry the updates suite.
  const own = entries.filter((entry) => entry.suites.includes(codename) && entry.components.includes('main'));
  const has_updates = (uri: string): boolean =>
    entries.some((entry) => entry.uri === uri && entry.suites.includes(`${codename}-updates`));
  const mirror =
    own.find((entry) => has_updates(entry.uri)) ??
    own.find((entry) => entry.options['Signed-By']?.includes('debian-archive')) ??
    own.find((entry) => /\/debian\/?$/.test(entry.uri));
  const options = mirror?.options ?? { 'Signed-By': '/usr/share/keyrings/debian-archive-keyring.gpg' };
  return `${[
    `Types: deb`,
    `URIs: ${mirror?.uri ?? 'http://deb.debian.org/debian'}`,
    `Suites: ${suite}`,
    `Components: main`,
    ...Object.entries(options).map(([key, value]) => (value.startsWith('\n') ? `${key}:${value}` : `${key}: ${value}`)),
  ].join('\n')}\n`;
}
