// Package bashcheck tells what a shell command line would do, without running
// it: which programs, on which files and hosts, and whether it is provably
// read-only. What it does not understand it calls unknown, never harmless.
package bashcheck
