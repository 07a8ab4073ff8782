import type { Command, Option } from 'commander';
import { UsageError } from '../engine/errors.ts';
import { preset_names } from '../engine/model/presets.ts';

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

function bash(program: Command): string {
  const values = commands_of(program).flatMap((command) => {
    const options = options_of(command).filter(takes_value);
    const entry = (of: readonly Option[], reply: string) => {
      const names = of.map((option) => `"${command.name()} ${long(option)}"`).join('|');
      return of.length === 0 ? [] : [`    ${names}) COMPREPLY=($(compgen ${reply} -- "$cur")); return ;;`];
    };
    const listed = options.filter((option) => choices_of(option).length > 0);
    const models = options.filter(is_model);
    const others = options.filter((option) => !listed.includes(option) && !models.includes(option));
    return [
      ...listed.flatMap((option) => entry([option], `-W "${choices_of(option).join(' ')}"`)),
      ...entry(models, `-f -W "${preset_names.join(' ')}"`),
      ...entry(others, '-f'),
    ];
  });
  const words = commands_of(program).map((command) => {
    const all = [...words_of(command), ...options_of(command).map(long)];
    return `    ${command.name()}) words="${all.join(' ')}" ;;`;
  });
  const first = new Set([...commands_of(program).map((command) => command.name()), ...options_of(program).map(long)]);
  return `# molmoe completion bash: source it, or put it where bash-completion looks
_molmoe() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...first].join(' ')}" -- "$cur"))
    return
  fi
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
  const commands = commands_of(program).map((c) => `    ${quoted(`${c.name()}:${escaped(c.description())}`)}`);
  const specs = commands_of(program).map((command) => {
    const options = options_of(command).map((option) => {
      const choices = choices_of(option);
      const files = is_model(option) ? `{_files; compadd ${preset_names.join(' ')}}` : '_files';
      const value = takes_value(option) ? `:value:${choices.length > 0 ? `(${choices.join(' ')})` : files}` : '';
      return `        ${quoted(`${long(option)}[${escaped(option.description)}]${value}`)}`;
    });
    const words = words_of(command);
    const rest = quoted(`*:argument:${words.length > 0 ? `(${words.join(' ')})` : '_files'}`);
    return `    ${command.name()})\n      _arguments \\\n${[...options, `        ${rest}`].join(' \\\n')}\n      ;;`;
  });
  return `#compdef molmoe
# molmoe completion zsh: source it after compinit, or save it as _molmoe in a folder of $fpath
_molmoe() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${specs.join('\n')}
  esac
}
(( $+functions[compdef] )) && compdef _molmoe molmoe
`;
}

function fish(program: Command): string {
  const lines = commands_of(program).flatMap((command) => {
    const name = command.name();
    const seen = `complete -c molmoe -n '__fish_seen_subcommand_from ${name}'`;
    const words = words_of(command);
    return [
      `complete -c molmoe -n __fish_use_subcommand -f -a ${name} -d ${quoted(command.description())}`,
      ...(words.length > 0 ? [`${seen} -f -a ${quoted(words.join(' '))}`] : []),
      ...options_of(command).map((option) => {
        const choices = choices_of(option);
        const words = (is_model(option) ? preset_names : choices).join(' ');
        const kind = choices.length > 0 ? '-xa' : '-ra';
        const value = !takes_value(option) ? '' : words === '' ? ' -r' : ` ${kind} ${quoted(words)}`;
        return `${seen} -l ${long(option).replace(/^-+/, '')}${value} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `# molmoe completion fish: save it as ~/.config/fish/completions/molmoe.fish\n${lines.join('\n')}\n`;
}
