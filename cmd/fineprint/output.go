package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Exit codes (docs/FORMATS.md).
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitPartly     = 3
	exitIncomplete = 4
)

var (
	errInterrupted = errors.New("interrupted")
	errSilent      = errors.New("already reported") // the command has said what is wrong
)

// codeError carries an exit code.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// usageErrorf is a fault of the command line or the configuration.
func usageErrorf(format string, args ...any) error {
	return &codeError{exitUsage, fmt.Errorf(format, args...)}
}

// withCode gives an error an exit code.
func withCode(code int, err error) error { return &codeError{code, err} }

// exitCode is the one table of errors and exit codes.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if coded, ok := errors.AsType[*codeError](err); ok {
		return coded.code
	}
	return exitFailed
}

// printJSON writes one line of JSON to standard output.
func (a *app) printJSON(v any) error {
	return writeJSONLine(a.stdout, v)
}

func writeJSONLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// talk writes a line for people to standard error.
func (a *app) talk(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}
