package bashcheck

// Codes of findings. They are stable. Findings are about the structure of the
// text and about effects: quoted text, comments and the bodies of quoted
// here-documents raise none, except for invisible characters. What merely
// cannot be proven (an unknown word, arithmetic over an unknown value) is an
// effect of the kind Unknown or a [Command] that is not Described, at most with
// a notice; from [Suspicious] on, a person should look even where a rule allows
// the command.
const (
	// CodeInternal: the analyzer itself failed on the text, which is a bug.
	CodeInternal = "internal-error"
	// CodeBadDescription: a description that the caller gave cannot be loaded.
	CodeBadDescription = "bad-description"
	// CodeSyntax: the text is not a program of the shell, as far as the parser can tell.
	CodeSyntax = "syntax"
	// CodeEmpty: the text holds no command at all.
	CodeEmpty = "empty"
	// CodeLimit: the text is over a limit and was not judged.
	CodeLimit = "limit"
	// CodeUnicodeControl: a control, invisible or direction-changing character.
	CodeUnicodeControl = "unicode-control"
	// CodeHiddenByParser: a construct in which shells run code that parsers take for data.
	CodeHiddenByParser = "hidden-by-parser"
	// CodeUnsupported: syntax that is not on the list of what is understood.
	CodeUnsupported = "unsupported-syntax"
	// CodeDynamicCommand: the name of a command is known only when it runs.
	CodeDynamicCommand = "dynamic-command"
	// CodeObfuscatedWord: a command name or flag is split by quotes or escapes.
	CodeObfuscatedWord = "obfuscated-word"
	// CodeIndirectExecution: text that only exists at run time is executed (eval, a shell reading its input).
	CodeIndirectExecution = "indirect-execution"
	// CodeRebindsName: a function, alias or the like changes what later words mean.
	CodeRebindsName = "rebinds-name"
	// CodeArithmetic: arithmetic over something that is not provably a number; shells may run code in it.
	CodeArithmetic = "arithmetic"
	// CodeExpansion: a parameter expansion that assigns, indirects or evaluates.
	CodeExpansion = "expansion"
	// CodeNestedSubstitution: a command inside a here-document or a parameter
	// expansion. It is reported like any other, but shells differ too much in
	// these places to call the whole read-only.
	CodeNestedSubstitution = "nested-substitution"
	// CodeForeignRepository: git runs where cd led, and the configuration found there may run programs.
	CodeForeignRepository = "foreign-repository"
	// CodeDialect: the text may mean something else in a shell that may run it.
	CodeDialect = "dialect"
	// CodeNetworkRedirect: a redirection to /dev/tcp or /dev/udp.
	CodeNetworkRedirect = "network-redirect"
	// CodePipeToShell: the output of a command is run as a program.
	CodePipeToShell = "pipe-to-shell"
	// CodeExfiltration: the content of a file, or the environment, reaches the
	// network. Dangerous where its name says that it holds secrets, suspicious
	// where it becomes part of an address, otherwise a notice.
	CodeExfiltration = "exfiltration"
	// CodeDestructive: dangerous for a removal or change of what a system or a
	// person cannot do without: a root or home directory, a system folder, a
	// disk. A notice, which makes the risk high but keeps no rule from allowing
	// the command, for what cannot be had or taken back (git reset --hard, a
	// forced push, npm publish).
	CodeDestructive = "destructive"
	// CodeGivesControl: by the command somebody else gets control, or more of it:
	// a shell for whoever answers a connection, a container with the rights of the
	// machine, a program that will run as its owner.
	CodeGivesControl = "gives-control"
	// CodePrivilege: a command runs with other rights (sudo). A notice.
	CodePrivilege = "privilege"
	// CodePersistence: a file is written that runs by itself later: start-up
	// files, git hooks, timers, authorized keys.
	CodePersistence = "persistence"
)
