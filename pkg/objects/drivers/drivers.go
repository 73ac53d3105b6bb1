// Package drivers links the drivers of archives and buckets in gs:// and s3://, so that
// [objects.OpenBucket] takes them, and opens archives of Google Cloud Storage with the
// generation of each object pinned.
package drivers

import (
	"context"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/gcsblob" // gs://
	_ "gocloud.dev/blob/s3blob"  // s3://

	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// OpenRoot is [objects.OpenRoot], for gs:// and s3:// too.
func OpenRoot(ctx context.Context, rawURL string) (objects.Root, error) {
	if strings.HasPrefix(rawURL, "gs://") {
		return objects.OpenPinned(ctx, rawURL, pinGeneration)
	}
	return objects.OpenRoot(ctx, rawURL)
}

// pinGeneration has each read ask for the generation that the object had when it was
// opened: once it is replaced, the storage answers that there is none.
func pinGeneration(attrs *blob.Attributes) (generation string, before func(as func(any) bool) error) {
	var of storage.ObjectAttrs
	if !attrs.As(&of) {
		return "", nil
	}
	return strconv.FormatInt(of.Generation, 10), func(as func(any) bool) error {
		var object **storage.ObjectHandle
		if as(&object) {
			*object = (*object).Generation(of.Generation)
		}
		return nil
	}
}
