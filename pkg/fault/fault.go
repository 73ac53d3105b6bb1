// Package fault names the kinds of error that Seltzer acts on.
//
// An error carries a [Code], which programs act on, and a sentence, which people
// read: what was wrong, what was expected, what to do. Libraries return such errors;
// the one table in package api turns codes into HTTP statuses, DALI texts and UWS
// error types. Wrap an error with fmt.Errorf and %w to say where it happened; the
// code and the sentence are found at any depth.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code is a kind of error. It is itself an error, so that
// errors.Is(err, fault.NotFound) holds at any depth of wrapping.
type Code string

// The kinds of error.
const (
	Usage           Code = "Usage"           // the request is wrong; asking again will not help
	MultiValued     Code = "MultiValued"     // a parameter was repeated that takes one value
	NotFound        Code = "NotFound"        // no such dataset, job, result
	Unauthenticated Code = "Unauthenticated" // who is asking is not known, and must be
	Forbidden       Code = "Forbidden"       // who is asking is known, and may not
	Phase           Code = "Phase"           // not legal in the job's present phase
	NoOverlap       Code = "NoOverlap"       // the stencil selects no pixel of the dataset
	TooLarge        Code = "TooLarge"        // over a limit of size
	Quota           Code = "Quota"           // over a limit of how much one may ask
	Unsupported     Code = "Unsupported"     // right, but Seltzer does not do it
	Corrupt         Code = "Corrupt"         // the data are not what they claim to be
	Unavailable     Code = "Unavailable"     // something is down or busy; asking again later may help
	Internal        Code = "Internal"        // a fault of ours
)

// Error returns the code's name.
func (c Code) Error() string { return string(c) }

// Error is an error of one kind with a sentence for people.
type Error struct {
	Code     Code
	Op       string        // where it happened, as package.Function; for logs
	Sentence string        // what was wrong and what to do; safe to show to whoever asked
	Cause    error         // what lies below, or nil; never shown, only logged
	After    time.Duration // when asking again may help; 0: it is not known
}

// New returns an error of kind code that happened in op ("package.Function").
// A %w in format keeps its operand as the cause, and its text in the sentence.
func New(code Code, op, format string, args ...any) *Error {
	text := fmt.Errorf(format, args...)
	cause := errors.Unwrap(text)
	return &Error{Code: code, Op: op, Sentence: withoutOps(text.Error(), cause), Cause: cause}
}

// Wrap returns an error of kind code with cause below it. The cause's text is kept out
// of the sentence, so internals can be logged without being shown.
func Wrap(cause error, code Code, op, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Sentence: fmt.Sprintf(format, args...), Cause: cause}
}

// Error returns op, sentence and, where the sentence does not hold it, the cause.
func (e *Error) Error() string {
	text := e.Sentence
	if e.Op != "" {
		text = e.Op + ": " + text
	}
	if e.Cause != nil && !strings.Contains(e.Sentence, Plain(e.Cause)) {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Is reports whether target is the error's code.
func (e *Error) Is(target error) bool { return target == error(e.Code) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the kind of err: that of the outermost [Error] in it, Unavailable for
// a context that ended, and Internal for anything else. It is "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if c, ok := errors.AsType[Code](err); ok {
		return c
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Unavailable
	}
	return Internal
}

// Sentence returns the part of err that may be shown to whoever asked: the sentence of
// the outermost [Error], or a general one for errors that are ours alone.
func Sentence(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != Internal {
		return e.Sentence
	}
	if CodeOf(err) == Unavailable {
		return "the service could not finish in time; ask again later"
	}
	return "something went wrong inside the service; the operators can find it in the log"
}

// Plain returns the text of err without the places where it happened (package.Function):
// what a command line shows. Unlike [Sentence] it keeps every cause.
func Plain(err error) string { return withoutOps(err.Error(), err) }

// withoutOps takes the places where err and the errors below it happened out of a text.
func withoutOps(text string, err error) string {
	if e, ok := err.(*Error); ok && e.Op != "" {
		text = strings.Replace(text, e.Op+": ", "", 1)
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if below := e.Unwrap(); below != nil {
			return withoutOps(text, below)
		}
	case interface{ Unwrap() []error }:
		for _, below := range e.Unwrap() {
			text = withoutOps(text, below)
		}
	}
	return text
}

// After returns when asking again may help, 0 if it is not known.
func After(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.After
	}
	return 0
}

// Transient reports whether the same thing may succeed when tried again.
func Transient(err error) bool { return CodeOf(err) == Unavailable }
