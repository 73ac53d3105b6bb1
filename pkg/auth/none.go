package auth

import "net/http"

// None is a public service: everybody is anonymous.
type None struct{}

// Caller implements [Mode].
func (None) Caller(*http.Request) (Caller, error) { return Caller{}, nil }

// Ambient implements [Mode].
func (None) Ambient(*http.Request) bool { return false }

// Challenges implements [Mode].
func (None) Challenges(*http.Request) []string { return nil }
