package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// MaxOrder is the size in bytes of the largest push body of an order: Pub/Sub's limit of a
// message, in base64.
const MaxOrder = 14 << 20

// Kept is the folder in an owner's folder whose objects are no batches by themselves, but are
// named by orders and requests.
const Kept = "kept/"

// Order is a message that orders a batch, as JSON.
type Order struct {
	Manifest  string            `json:"manifest"`  // name of an object in the bucket of manifests, or …
	Rows      json.RawMessage   `json:"rows"`      // … an array of rows
	Options   map[string]string `json:"options"`   // parameters of the batch
	RequestID string            `json:"requestId"` // the same means the same batch; "": each message is one
}

// RequestedID returns the id of the job that orders with a requestId make.
func RequestedID(requestID string) string { return uws.DerivedID("batch", "request", requestID) }

// Order makes the batch that a push of the batch topic orders, unless it is there already: by
// an [Order], or by the notification of Cloud Storage that an object was written. Its owner is
// the one in whose folder the manifest is or, of rows, the one who was configured for that.
//
// A nil error says that the message is done with. The error is [fault.Usage] for an order that
// can never be carried out, [fault.Unavailable] for one that may later.
//
// Source: Google Cloud, "Pub/Sub notifications for Cloud Storage" (attributes of messages).
func (b *Batches) Order(ctx context.Context, p *queue.Push) error {
	if object := p.Message.Attributes["objectId"]; object != "" {
		return b.dropped(ctx, p, object)
	}
	var o Order
	in := json.NewDecoder(bytes.NewReader(p.Message.Data))
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil {
		return fault.New(fault.Usage, "batch.Order", `the message is no order; want JSON such as {"manifest": "owners/ada/objects.parquet", "options": {"PACKAGE": "zip"}, "requestId": "1"}: %w`, err)
	}
	id := uws.DerivedID("batch", "message", p.Message.MessageID)
	if o.RequestID != "" {
		id = RequestedID(o.RequestID)
	}
	params := []uws.Param{{Name: Manifest, Value: o.Manifest}}
	for _, name := range slices.Sorted(maps.Keys(o.Options)) {
		params = append(params, uws.Param{Name: strings.ToUpper(name), Value: o.Options[name]})
	}
	switch {
	case o.Manifest == "" && len(o.Rows) > 0:
		return b.orderRows(ctx, p, id, params, o.Rows)
	case o.Manifest == "" || len(o.Rows) > 0:
		return fault.New(fault.Usage, "batch.Order", "the order has neither a manifest nor rows, or both; want one of them")
	}
	name := o.Manifest
	if !strings.HasPrefix(name, owners) {
		name = Folder(b.RowsOwner) + name
	}
	return b.make(ctx, p, id, name, params)
}

// dropped makes a batch of an object that was written into an owner's folder.
func (b *Batches) dropped(ctx context.Context, p *queue.Push, object string) error {
	a := p.Message.Attributes
	owner, err := Owner(object)
	if a["eventType"] != "OBJECT_FINALIZE" || err == nil && strings.HasPrefix(object, Folder(owner)+Kept) || strings.HasSuffix(object, "/") {
		return nil
	}
	if err != nil {
		return err
	}
	return b.make(ctx, p, uws.DerivedID("batch", "object", a["bucketId"], object, a["objectGeneration"]), object, []uws.Param{{Name: Manifest, Value: object}})
}

// orderRows keeps the rows of an order as the manifest of its batch.
func (b *Batches) orderRows(ctx context.Context, p *queue.Push, id string, params []uws.Param, rows []byte) error {
	if b.RowsOwner == "" {
		return fault.New(fault.Usage, "batch.Order", "the order brings its rows itself, and this service is not told whose such batches are; want the name of a manifest below %s<owner>/", owners)
	}
	name := folder(id) + "/manifest/rows.json"
	params[0].Value = "rows.json"
	out, err := b.Config.Results.Create(ctx, name, "application/json")
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := io.Copy(out, bytes.NewReader(rows)); err != nil {
		return err
	}
	if err := out.Close(); err != nil && !errors.Is(err, objects.ErrExists) {
		return err
	}
	return b.make(ctx, p, id, name, params)
}

// make makes and queues a batch, unless it is there.
func (b *Batches) make(ctx context.Context, p *queue.Push, id, manifest string, params []uws.Param) error {
	telemetry.Job(ctx, id)
	j, err := b.Jobs.Get(ctx, id)
	switch {
	case err == nil && j.Phase != uws.Queued:
		return nil
	case err == nil: // its message may be lost
		return b.Queue.Publish(ctx, uws.Bulk, id)
	case !errors.Is(err, fault.NotFound):
		return err
	}
	now := time.Now().UTC()
	if at := p.Message.PublishTime.UTC(); !at.IsZero() && at.Before(now) {
		now = at // the same when the message comes again
	}
	j = NewJob(id, now, manifest)
	j.Params, j.ExecutionDuration = params, b.Execution
	if j.Owner = b.RowsOwner; !strings.HasPrefix(manifest, folder(id)+"/") {
		if j.Owner, err = Owner(manifest); err != nil {
			return err
		}
	}
	if _, err := Read(params); err != nil {
		return err
	}
	j.DestroyAt(now.Add(life), remember)
	if _, err := j.Run(now); err != nil {
		return err
	}
	err = b.create(ctx, j)
	if fault.CodeOf(err) == fault.Quota { // a message that was refused would slow down those of everybody
		return b.refuse(ctx, now, j, fault.Sentence(err))
	}
	if err != nil {
		return fmt.Errorf("batch: order of %s: %w", id, err)
	}
	b.Log.InfoContext(ctx, "batch ordered", "job", id, "owner", j.Owner, "manifest", manifest)
	return b.Queue.Publish(ctx, j.Class, id)
}

func (b *Batches) create(ctx context.Context, j *uws.Job) error {
	if b.Quota == nil {
		return b.Jobs.Create(ctx, j)
	}
	return b.Quota.Create(ctx, j)
}

// refuse writes a job that has ended before it began: its owner, who is over their quota, finds
// it and why.
func (b *Batches) refuse(ctx context.Context, now time.Time, j *uws.Job, why string) error {
	j.Failure = &uws.Failure{Code: string(fault.Quota), Message: why, Transient: true}
	if err := j.Advance(uws.Error, now); err != nil {
		return err
	}
	b.Log.WarnContext(ctx, "batch refused", "job", j.ID, "owner", j.Owner, "error", why)
	return b.Jobs.Create(ctx, j)
}
