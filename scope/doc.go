// Package scope keeps the file operations of a program below the directories
// that it was given, and tells what a path is: where it really leads, and
// whether it is a file that deserves care. It decides nothing about
// permission; it states facts, and its operations refuse by themselves what
// nobody has granted.
//
// # Advice and guarantees
//
// A checked path is advice. [Guard.Check], [Lexical.Check] and every field of a
// [Resolution] tell about a moment; whoever checks a path and then opens it by
// name loses the race against anybody who can rename or link in between
// (CVE-2026-88968, CVE-2026-34452).
//
// A handle is a guarantee. [Guard.Open], [Guard.ReadFile], [Guard.ReadDir],
// [Guard.Stat], [Guard.FS], [Guard.WriteFile], [Guard.Write], [Guard.Create],
// [Guard.Mkdir], [Guard.MkdirAll], [Guard.Remove], [Guard.RemoveAll],
// [Guard.Rename], [Guard.Link] and [Guard.Symlink] resolve and judge the path,
// open the directory of the resolved path from the held root with no link
// allowed on the way, and act on one name in it. What changes in between makes them fail
// ([ErrRaced]), never act elsewhere. On Linux that is openat2(2) with
// RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_XDEV; where it is missing
// or filtered, and on other systems, os.Root one directory at a time, with
// the identity of each compared. In that second form mount points are not
// noticed (RemoveAll still stops at other devices), and a rename or hard link
// between two directories is safe against leaving the
// root but not against links that change within it.
//
// # What it does not protect against
//
//   - programs that are started: they are confined by a sandbox or not at all;
//   - a file that somebody linked into the root by a hard link: reading it is
//     reading a file ([Resolution.Links] counts); changing it in place is
//     refused, replacing it breaks the link;
//   - whoever may rename directories within the root and can wait: a directory
//     that is moved while it is held keeps being the directory that was judged;
//   - secrets in files that no rule names: the class [Sensitive] is a
//     courtesy against accidents.
//
// # Classes
//
// The classes are data with reasons ([Rules]). Names are compared by [Fold] on
// every platform, so that .GIT, git~1 and .g\u200cit are .git everywhere; no
// file needs to exist. The name as given, each link crossed and the resolved
// name are judged, and the highest class counts. Reading a protected file is
// ordinary. For an operation that removes, moves or links a name, a directory
// above a protected one (.github for .github/workflows) is protected too. What
// lies below a directory that is moved or removed as a tree is not in the class
// of the directory: [Guard.Rename] and [Guard.RemoveAll] look through it, whoever
// only checks must walk.
//
// # Sandboxes and tests
//
// Package scope/sandbox starts programs confined to what a guard allows. Package
// scope/scopetest is the table of published attacks, for any guard.
package scope
