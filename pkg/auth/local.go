package auth

import "net/http"

// Local is one user at their own machine, who sees everything.
type Local struct{}

// Caller implements [Mode].
func (Local) Caller(*http.Request) (Caller, error) { return Caller{Name: "local", All: true}, nil }

// Ambient implements [Mode]: being on the machine is enough.
func (Local) Ambient(*http.Request) bool { return true }

// Challenges implements [Mode].
func (Local) Challenges(*http.Request) []string { return nil }
