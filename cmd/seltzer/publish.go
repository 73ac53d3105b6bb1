package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/api/pubsub/v1"

	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// maxInline is how large a file of rows a message may carry: Pub/Sub takes 10 MB.
const maxInline = 5 << 20

// publish asks by a message on a topic. A file of JSON that is here goes inline; anything else
// is the name of an object.
func (c *submit) publish(ctx context.Context, s *streams, params []uws.Param) error {
	m := message{Options: map[string]string{}}
	for _, p := range params {
		m.Options[p.Name] = p.Value
	}
	words := []string{"message", c.Manifest}
	rows, err := os.ReadFile(c.Manifest)
	switch {
	case err == nil && !c.Stored && !bytes.HasPrefix(bytes.TrimSpace(rows), []byte("[")):
		return fault.New(fault.Usage, "", "%s is no JSON array of rows, which alone can go with a message; put the file into your folder of the batch bucket and give its name with --stored", c.Manifest)
	case err == nil && !c.Stored && len(rows) > maxInline:
		return fault.New(fault.TooLarge, "", "%s has %d bytes; want at most %d in a message: put it into the batch bucket and give its name with --stored", c.Manifest, len(rows), maxInline)
	case err == nil && !c.Stored:
		m.Rows, words[1] = rows, string(rows)
	default:
		m.Manifest = c.Manifest
	}
	for _, p := range params {
		words = append(words, p.Name, p.Value)
	}
	if m.RequestID = c.Request; m.RequestID == "" {
		m.RequestID = uws.DerivedID(words...)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fault.New(fault.Usage, "", "%s is no JSON: %w", c.Manifest, err)
	}
	var options []option.ClientOption
	if host := os.Getenv("PUBSUB_EMULATOR_HOST"); host != "" {
		options = append(options, option.WithEndpoint("http://"+host+"/"), option.WithoutAuthentication())
	}
	service, err := pubsub.NewService(ctx, options...)
	if err != nil {
		return fault.New(fault.Usage, "", "no credentials of Google Cloud: %w; gcloud auth application-default login makes them", err)
	}
	if !strings.HasPrefix(c.Topic, "projects/") {
		return fault.New(fault.Usage, "", "--topic %q: want projects/PROJECT/topics/TOPIC", c.Topic)
	}
	request := &pubsub.PublishRequest{Messages: []*pubsub.PubsubMessage{{Data: base64.StdEncoding.EncodeToString(data)}}}
	answer, err := service.Projects.Topics.Publish(c.Topic, request).Context(ctx).Do()
	if err != nil {
		return fault.New(fault.Unavailable, "", "the message could not be published to %s: %w", c.Topic, err)
	}
	job := strings.TrimRight(c.URL, "/") + "/async/" + batch.RequestedID(m.RequestID)
	fmt.Fprintf(s.err, "message %s, request %s\n", strings.Join(answer.MessageIds, " "), m.RequestID)
	fmt.Fprintln(s.out, job)
	if !c.Watch {
		return nil
	}
	for range 120 { // until the message is delivered
		if _, err := fetch(ctx, job); fault.CodeOf(err) != fault.NotFound {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	return watch(ctx, s, job)
}
