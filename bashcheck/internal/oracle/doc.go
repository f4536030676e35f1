// Package oracle runs shells and programs for real, inside a bubblewrap
// sandbox, and tells what they did: which programs were executed with which
// words, where and in which environment, and which files changed. The tests of
// bashcheck compare that with what the analyzer said.
//
// A sandbox has its own process, network, mount and user namespaces and no
// capabilities. Nothing of the host is in it but read-only system folders; all
// the rest is memory. Its first process is one long-lived runner (folder
// runner), which no signal from inside can end. It runs one request after the
// other, ends everything that a request left behind, and restores the files.
//
// In a sandbox of stubs every program name leads to a program that only
// records how it was called (folder cstub, and stub where there is no C
// compiler); the programs in Options.Real, such as wrappers and shells, are
// recorded and then really run.
//
// It works on Linux only.
package oracle
