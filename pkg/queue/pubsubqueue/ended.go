package pubsubqueue

import (
	"context"
	"encoding/json"

	"cloud.google.com/go/pubsub/v2"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Ended is a topic on which jobs are told of that have ended.
type Ended struct {
	client *pubsub.Client
	topic  *pubsub.Publisher
}

// OpenEnded returns the topic of a project. It makes no call. The error is [fault.Usage].
func OpenEnded(ctx context.Context, project, topic string) (*Ended, error) {
	client, err := pubsub.NewClient(context.WithoutCancel(ctx), project)
	if err != nil {
		return nil, fault.New(fault.Usage, "pubsubqueue.OpenEnded", "the topic %s of project %q cannot be opened: %w", topic, project, err)
	}
	e := &Ended{client: client, topic: client.Publisher(topic)}
	e.topic.PublishSettings.DelayThreshold = gather
	e.topic.PublishSettings.Timeout = callTime
	return e, nil
}

// Close ends the connections.
func (e *Ended) Close() error {
	e.topic.Stop()
	return e.client.Close()
}

// JobEnded publishes {"job": ID, "phase": PHASE}, which also stand in the message's
// attributes, by which a subscription can choose.
func (e *Ended) JobEnded(ctx context.Context, id string, phase uws.Phase) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	said := map[string]string{"job": id, "phase": string(phase)}
	data, err := json.Marshal(said)
	if err != nil {
		return fault.New(fault.Internal, "pubsubqueue.JobEnded", "job %s cannot be told of as JSON: %w", id, err)
	}
	if _, err := e.topic.Publish(ctx, &pubsub.Message{Data: data, Attributes: said}).Get(ctx); err != nil {
		return failed(err, "JobEnded", "the topic of jobs that have ended took no message")
	}
	return nil
}
