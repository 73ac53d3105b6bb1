// Package queue is the port to the queue that wakes workers, and the JSON in which a
// message reaches them: the body of a Pub/Sub push.
//
// A message carries the id of a job; all parameters come from the job itself, so a forged or
// repeated message can do nothing new. Beside it stands the trace that it belongs to, if
// there is one, which decides nothing. The rules that every backend keeps are the contract
// suite, package queuetest.
package queue

import (
	"context"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Publisher queues messages. A message is delivered at least once, by POST of its
// [Push] to the endpoint of its class, until an answer with a status of 2xx
// acknowledges it. Methods are safe for concurrent use.
type Publisher interface {
	// Publish queues the job's id. It returns when the message is durable. Publishing an
	// id that is waiting already is no error and may or may not deliver it twice. The
	// trace of ctx goes with the message, see [Push.Trace].
	Publish(ctx context.Context, class uws.Class, id string) error

	// Check is nil if the queue takes messages.
	Check(ctx context.Context) error
}
