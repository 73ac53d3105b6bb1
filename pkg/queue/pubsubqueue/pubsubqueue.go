// Package pubsubqueue publishes messages to Google Cloud Pub/Sub, each class of jobs to a
// topic of its own. Push subscriptions, which are made with the deployment, deliver them:
// this package never reads one.
package pubsubqueue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Times of a publisher. Messages that come within a millisecond share a call, so that one
// who is alone hardly waits and a thousand at once do not make a thousand calls.
const (
	gather   = time.Millisecond
	callTime = 5 * time.Second // for a message to be durable, with the client's own repetitions
)

// Queue implements [queue.Publisher]. Against an emulator (PUBSUB_EMULATOR_HOST) it works
// without credentials.
type Queue struct {
	client *pubsub.Client
	topics map[uws.Class]*pubsub.Publisher
}

var _ queue.Publisher = (*Queue)(nil)

// Open returns the queue of a project; topics holds the name of the topic of each class. It
// makes no call. The error is [fault.Usage].
func Open(ctx context.Context, project string, topics map[uws.Class]string) (*Queue, error) {
	for _, class := range uws.Classes {
		if topics[class] == "" {
			return nil, fault.New(fault.Usage, "pubsubqueue.Open", "there is no topic for class %s; want one for each of %v", class, uws.Classes)
		}
	}
	client, err := pubsub.NewClient(context.WithoutCancel(ctx), project)
	if err != nil {
		return nil, fault.New(fault.Usage, "pubsubqueue.Open", "the queue of project %q cannot be opened: %w", project, err)
	}
	q := &Queue{client: client, topics: map[uws.Class]*pubsub.Publisher{}}
	for class, name := range topics {
		p := client.Publisher(name)
		p.PublishSettings.DelayThreshold = gather
		p.PublishSettings.Timeout = callTime
		q.topics[class] = p
	}
	return q, nil
}

// Close sends what is on its way and ends the connections.
func (q *Queue) Close() error {
	for _, p := range q.topics {
		p.Stop()
	}
	return q.client.Close()
}

// Publish implements [queue.Publisher].
func (q *Queue) Publish(ctx context.Context, class uws.Class, id string) error {
	p := q.topics[class]
	if p == nil || id == "" {
		return fault.New(fault.Usage, "pubsubqueue.Publish", "job %q of class %q cannot be queued; want an id and a class of %v", id, class, uws.Classes)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	m := &pubsub.Message{Data: []byte(id)}
	if trace := telemetry.Parent(ctx); trace != "" {
		m.Attributes = map[string]string{telemetry.ParentKey: trace}
	}
	if _, err := p.Publish(ctx, m).Get(ctx); err != nil {
		return failed(err, "Publish", fmt.Sprintf("the topic of class %s took no message", class))
	}
	return nil
}

// Check implements [queue.Publisher]: each topic is there. To ask takes the role
// roles/pubsub.viewer on the topics.
func (q *Queue) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var checks errgroup.Group
	for _, class := range slices.Sorted(maps.Keys(q.topics)) {
		checks.Go(func() error {
			topic := &pubsubpb.GetTopicRequest{Topic: q.topics[class].String()}
			if _, err := q.client.TopicAdminClient.GetTopic(ctx, topic); err != nil {
				return fault.Wrap(err, fault.Unavailable, "pubsubqueue.Check", "the topic of class %s does not answer or is not there", class)
			}
			return nil
		})
	}
	return checks.Wait()
}

// failed gives an error of Pub/Sub a kind: what is not there, or not allowed, is not mended
// by asking again.
func failed(err error, op, sentence string) error {
	kind := fault.Unavailable
	switch status.Code(err) {
	case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.FailedPrecondition, codes.Unimplemented:
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			kind = fault.Internal
		}
	}
	return fault.Wrap(err, kind, "pubsubqueue."+op, "%s", sentence)
}
