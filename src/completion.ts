import type { Command, Option } from 'commander';
import { UsageError } from '../engine/errors.ts';
import { model_names } from '../engine/node/shipped_model.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** A script that completes commands, options and their choices, made from the program itself. */
export function completion(program: Command, shell: string): string {
  const make: Readonly<Record<Shell, (program: Command) => string>> = { bash, zsh, fish };
  if (!Object.hasOwn(make, shell)) throw new UsageError(`${shell}: expected one of ${SHELLS.join(', ')}`);
  return make[shell as Shell](program);
}

/** Of a command and of the program: the latter stand before any command, and after it too. */
const options_of = (command: Command): readonly Option[] => command.createHelp().visibleOptions(command);
const commands_of = (program: Command): readonly Command[] => program.createHelp().visibleCommands(program);
const takes_value = ({ required, optional }: Option): boolean => required || optional;
/** What an option or an argument may be, where that is a list. */
const choices_of = ({ argChoices }: { readonly argChoices?: string[] }): readonly string[] => argChoices ?? [];
/** The name of a preset, or of a folder. */
const is_model = (option: Option): boolean => ['--model', '--preset'].includes(long(option));
const words_of = (command: Command): readonly string[] => command.registeredArguments.flatMap(choices_of);
const long = (option: Option): string => option.long ?? option.short ?? '';

/** A command that does something, and the words that lead to it. */
interface Leaf {
  readonly path: readonly string[];
  readonly command: Command;
}

const is_group = (command: Command): boolean => command.commands.length > 0;
const groups_of = (program: Command): readonly Command[] => commands_of(program).filter(is_group);
const leaves_of = (program: Command, path: readonly string[] = []): Leaf[] =>
  commands_of(program).flatMap((command) => {
    const inner = [...path, command.name()];
    return is_group(command) ? leaves_of(command, inner) : [{ path: inner, command }];
  });
const names_of = (program: Command): readonly string[] => commands_of(program).map((command) => command.name());

function bash(program: Command): string {
  const leaves = leaves_of(program);
  const values = leaves.flatMap(({ path, command }) => {
    const options = options_of(command).filter(takes_value);
    const entry = (of: readonly Option[], reply: string) => {
      const names = of.map((option) => `"${path.join(' ')} ${long(option)}"`).join('|');
      return of.length === 0 ? [] : [`    ${names}) COMPREPLY=($(compgen ${reply} -- "$cur")); return ;;`];
    };
    const listed = options.filter((option) => choices_of(option).length > 0);
    const models = options.filter(is_model);
    const others = options.filter((option) => !listed.includes(option) && !models.includes(option));
    return [
      ...listed.flatMap((option) => entry([option], `-W "${choices_of(option).join(' ')}"`)),
      ...entry(models, `-f -W "${model_names.join(' ')}"`),
      ...entry(others, '-f'),
    ];
  });
  const words = leaves.map(({ path, command }) => {
    const all = [...words_of(command), ...options_of(command).map(long)];
    return `    "${path.join(' ')}") words="${all.join(' ')}" ;;`;
  });
  const groups = groups_of(program).map((group) => {
    const inner = `COMPREPLY=($(compgen -W "${names_of(group).join(' ')}" -- "$cur")); return`;
    return `    ${group.name()}) if [ "$COMP_CWORD" -eq 2 ]; then ${inner}; fi; command="$command \${COMP_WORDS[2]}" ;;`;
  });
  const first = new Set([...names_of(program), ...options_of(program).map(long)]);
  return `# molmoe completion bash: source it, or put it where bash-completion looks
_molmoe() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...first].join(' ')}" -- "$cur"))
    return
  fi
  case "$command" in
${groups.join('\n')}
  esac
  case "$command $prev" in
${values.join('\n')}
  esac
  case "$command" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _molmoe molmoe
`;
}

/** In single quotes, for a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zsh(program: Command): string {
  const escaped = (text: string) => text.replace(/[\\[\]:]/g, '\\$&');
  const described = (of: Command) =>
    commands_of(of)
      .map((c) => `    ${quoted(`${c.name()}:${escaped(c.description())}`)}`)
      .join('\n');
  const choose = (of: Command) => `local -a commands
  commands=(
${described(of)}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${commands_of(of).map(spec).join('\n')}
  esac`;
  const spec = (command: Command): string => {
    if (is_group(command)) return `    ${command.name()})\n  ${choose(command)}\n      ;;`;
    const options = options_of(command).map((option) => {
      const choices = choices_of(option);
      const files = is_model(option) ? `{_files; compadd ${model_names.join(' ')}}` : '_files';
      const value = takes_value(option) ? `:value:${choices.length > 0 ? `(${choices.join(' ')})` : files}` : '';
      return `        ${quoted(`${long(option)}[${escaped(option.description)}]${value}`)}`;
    });
    const words = words_of(command);
    const rest = quoted(`*:argument:${words.length > 0 ? `(${words.join(' ')})` : '_files'}`);
    return `    ${command.name()})\n      _arguments \\\n${[...options, `        ${rest}`].join(' \\\n')}\n      ;;`;
  };
  return `#compdef molmoe
# molmoe completion zsh: source it after compinit, or save it as _molmoe in a folder of $fpath
_molmoe() {
  ${choose(program)}
}
(( $+functions[compdef] )) && compdef _molmoe molmoe
`;
}

function fish(program: Command): string {
  const offered = (when: string, of: Command) =>
    commands_of(of).map((c) => `complete -c molmoe -n ${when} -f -a ${c.name()} -d ${quoted(c.description())}`);
  const seen = (names: readonly string[]) => names.map((name) => `__fish_seen_subcommand_from ${name}`).join('; and ');
  const groups = groups_of(program).flatMap((group) => {
    const none_yet = `not __fish_seen_subcommand_from ${names_of(group).join(' ')}`;
    return offered(quoted(`${seen([group.name()])}; and ${none_yet}`), group);
  });
  const lines = leaves_of(program).flatMap(({ path, command }) => {
    const when = `complete -c molmoe -n ${quoted(seen(path))}`;
    const words = words_of(command);
    return [
      ...(words.length > 0 ? [`${when} -f -a ${quoted(words.join(' '))}`] : []),
      ...options_of(command).map((option) => {
        const choices = choices_of(option);
        const words = (is_model(option) ? model_names : choices).join(' ');
        const kind = choices.length > 0 ? '-xa' : '-ra';
        const value = !takes_value(option) ? '' : words === '' ? ' -r' : ` ${kind} ${quoted(words)}`;
        return `${when} -l ${long(option).replace(/^-+/, '')}${value} -d ${quoted(option.description)}`;
      }),
    ];
  });
  const all = [...offered('__fish_use_subcommand', program), ...groups, ...lines];
  return `# molmoe completion fish: save it as ~/.config/fish/completions/molmoe.fish\n${all.join('\n')}\n`;
}
