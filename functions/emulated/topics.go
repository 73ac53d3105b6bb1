package emulated

import (
	"context"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

const deadLetter = "dead-letter"

// ackSeconds is how long Pub/Sub waits for a worker: the most that it can.
const ackSeconds = 600

// subscribe makes the topics and the push subscriptions of a deployment.
func (c *Cloud) subscribe(ctx context.Context) error {
	client, err := pubsub.NewClient(ctx, c.project)
	if err != nil {
		return err
	}
	defer client.Close()
	topic := func(name string) string { return "projects/" + c.project + "/topics/" + name }
	endpoints := map[string]string{
		string(uws.Interactive): c.url(cloud.Cutout) + "/", string(uws.Bulk): c.url(bulk) + "/", deadLetter: c.url(cloud.Cutout) + "/dead-letter",
	}
	for name := range endpoints {
		if _, err := client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topic(name)}); err != nil {
			return err
		}
	}
	for name, endpoint := range endpoints {
		if c.options.Courier != nil {
			endpoint = c.options.Courier.to(endpoint)
		}
		s := &pubsubpb.Subscription{
			Name: "projects/" + c.project + "/subscriptions/" + name, Topic: topic(name),
			PushConfig:         &pubsubpb.PushConfig{PushEndpoint: endpoint},
			AckDeadlineSeconds: ackSeconds,
			RetryPolicy:        &pubsubpb.RetryPolicy{MinimumBackoff: &durationpb.Duration{Seconds: 1}, MaximumBackoff: &durationpb.Duration{Seconds: 60}},
		}
		if name != deadLetter {
			s.DeadLetterPolicy = &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topic(deadLetter), MaxDeliveryAttempts: 100}
		}
		if _, err := client.SubscriptionAdminClient.CreateSubscription(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
