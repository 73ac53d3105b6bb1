package emulated

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Topics besides those of the classes of jobs.
const (
	batchTopic   = "batch"     // orders of batches, and manifests that were dropped into their bucket
	objectsTopic = "objects"   // what the archive's bucket tells of its objects
	endedTopic   = "job-ended" // batches that have ended
	deadLetter   = "dead-letter"
)

// ackSeconds is how long Pub/Sub waits for a worker: the most that it can.
const ackSeconds = 600

// Put writes an object into a bucket, which tells of it as a bucket of a deployment does: the
// archive's to the topic objects, that of manifests, for what is below owners/, to batch.
func (c *Cloud) Put(ctx context.Context, bucket, object string, data []byte) error {
	c.storage.Put(bucket, object, data)
	return c.tell(ctx, bucket, object)
}

// tell publishes what Cloud Storage tells of a new object. Source: Google Cloud, "Pub/Sub
// notifications for Cloud Storage".
func (c *Cloud) tell(ctx context.Context, bucket, object string) error {
	topic := map[string]string{ArchiveBucket: objectsTopic, BatchBucket: batchTopic}[bucket]
	if topic == batchTopic && !strings.HasPrefix(object, "owners/") {
		return nil
	}
	generation, err := c.storage.Generation(bucket, object)
	if err != nil {
		return err
	}
	client, err := pubsub.NewClient(ctx, c.project)
	if err != nil {
		return err
	}
	defer client.Close()
	p := client.Publisher(topic)
	defer p.Stop()
	_, err = p.Publish(ctx, &pubsub.Message{
		Data: fmt.Appendf(nil, `{"kind": "storage#object", "bucket": %q, "name": %q, "generation": "%d"}`, bucket, object, generation),
		Attributes: map[string]string{
			"eventType": "OBJECT_FINALIZE", "payloadFormat": "JSON_API_V1", "bucketId": bucket, "objectId": object, "objectGeneration": fmt.Sprint(generation),
		},
	}).Get(ctx)
	return err
}

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
		batchTopic: c.url(bulk) + "/batch", objectsTopic: c.url(cloud.Cutout) + "/objects",
	}
	for _, name := range append(slices.Collect(maps.Keys(endpoints)), endedTopic) {
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
