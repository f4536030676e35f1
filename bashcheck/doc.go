// Package bashcheck tells what a shell command line would do, without running
// it: which programs, on which files and hosts, and whether it is provably
// read-only. What it does not understand it calls unknown, never harmless.
//
//	r := bashcheck.Analyze("git status && git diff | head")
//	r.ReadOnly()    // true, under r.Assumptions
//	r.Explain()     // plain sentences for a person
//
// # What is understood
//
// Simple commands wherever they stand: lists, pipes, groups, subshells, loops,
// conditions, functions, command and process substitutions, here-documents;
// the commands that wrappers run (env, timeout, xargs, sudo, find -exec and
// others) and the texts given to sh -c and eval. Each becomes a [Command]
// with its words, assignments and effects. What a program does is told by
// descriptions (programs/README.md has the format); they are lists of what
// is understood, so a program, flag or operand that no description names is
// unknown. A caller adds descriptions in [Options].
//
// cd is followed by text alone: [Command].Dir holds the candidates. Variables
// are known only where they are given in Options.Vars, Options.Home, or were
// assigned a literal before and always.
//
// # What is guaranteed, and what is not
//
// ReadOnly is true only if the whole text was parsed, no finding blocks, every
// command is described and every effect reads or lists. That holds for a shell
// of the kind in Options.Shell, with the programs that the descriptions name,
// when all of Report.Assumptions hold. Reading is not confidential: a text that
// prints a key file is read-only, and which paths may be read is the caller's
// to decide from the effects. Nothing is looked up: links, directory contents,
// aliases and functions of the running shell, and the environment are outside.
//
// A guard stands before and around the parser, because parsers and shells
// disagree: bytes and nesting are limited before parsing; the tree is walked
// with a closed list of what is known; substitutions are counted a second time
// by a scanner of its own; and text with anything but plain characters is
// printed, parsed again and compared. Any disagreement blocks.
//
// # Findings
//
// The codes are the Code constants. A finding with Blocks set means that
// nothing is proven about the text.
//
// # Assumptions
//
// They are the Assume constants. A [Report] names those it rests on; a caller
// that cannot grant all of them treats the Report as not read-only. [SafeEnv]
// builds an environment that makes most of them true.
package bashcheck
