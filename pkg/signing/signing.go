// Package signing is the port to what signs the URLs of results: a URL that lets
// whoever holds it do one thing with one object for some minutes, with no other proof.
//
// The rules that every backend keeps are the contract suite, package signingtest.
package signing

import (
	"context"
	"time"
)

// Expiry is how long the URL of a result holds.
const Expiry = 15 * time.Minute

// Request says what a URL shall allow.
type Request struct {
	Object string        // name in the results bucket
	Method string        // GET (which allows HEAD too)
	Expiry time.Duration // from now
	Name   string        // file name that a browser saves the bytes under (Content-Disposition)
	MIME   string        // media type of the answer (Content-Type)
}

// Signer signs URLs. Methods are safe for concurrent use.
type Signer interface {
	// SignedURL returns an absolute URL. The error is [fault.Usage] for a request that
	// nothing could honour, [fault.Unavailable] if the signing service does not answer.
	SignedURL(ctx context.Context, r Request) (string, error)
}
