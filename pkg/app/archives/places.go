package archives

import (
	"net/url"
	"strings"
)

// IDs returns the IDs of the datasets whose bytes are an object of a bucket of Google Cloud
// Storage: one of each archive that the object lies in.
func (a *Archives) IDs(bucket, object string) (ids []string) {
	for _, c := range a.All() {
		place, err := url.Parse(c.Root.String())
		if err != nil || place.Scheme != "gs" || place.Host != bucket {
			continue
		}
		if name, ok := strings.CutPrefix(object, place.Query().Get("prefix")); ok && name != "" {
			ids = append(ids, c.Prefix+name)
		}
	}
	return ids
}
