"""Completion in PowerShell, which click does not know."""

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

from tau.config.environment import snapshot

_WORDS = "_TAU_COMPLETE_WORDS"
_WORD = "_TAU_COMPLETE_WORD"
_SOURCE = (
    """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:%(complete_var)s = "powershell_complete"
"""
    f"""\
    $env:{_WORDS} = ($commandAst.CommandElements | ForEach-Object {{ "$_" }}) -join "`n"
    $env:{_WORD} = $wordToComplete
"""
    """\
    try {
        %(prog_name)s | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new(
                $value, $value, "ParameterValue", $help)
        }
    } finally {
"""
    f"""\
        Remove-Item Env:%(complete_var)s, Env:{_WORDS}, Env:{_WORD} -ErrorAction Ignore
    }}
}}
"""
)
_FILES = ("file", "dir")


class PowerShell(ShellComplete):
    """Completes by an argument completer; where it offers nothing, PowerShell offers files."""

    name = "powershell"
    source_template = _SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and that one."""
        environ = snapshot()
        word = environ.get(_WORD, "")
        words = environ.get(_WORDS, "").split("\n")[1:]
        if word and words and words[-1] == word:
            words.pop()
        return words, word

    def format_completion(self, item: CompletionItem) -> str:
        """One line: what completes and, after a tab, what it means."""
        if item.type in _FILES:
            return ""
        return f"{item.value}\t{item.help}" if item.help else str(item.value)

    def complete(self) -> str:
        """The lines of all that fits."""
        args, incomplete = self.get_completion_args()
        lines = [self.format_completion(each) for each in self.get_completions(args, incomplete)]
        return "\n".join(each for each in lines if each)


def register() -> None:
    """Let click know it."""
    add_completion_class(PowerShell)
