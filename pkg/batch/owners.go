package batch

import (
	"net/url"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

const (
	owners    = "owners/"
	anonymous = "anonymous" // the folder of who has no name
)

// Folder returns where the manifests of an owner are in the bucket of manifests:
// owners/ and the name, in which what is no letter, digit or one of - _ . ~ is %-escaped.
func Folder(owner string) string {
	name := url.PathEscape(owner)
	switch owner {
	case "":
		name = anonymous
	case anonymous, ".", "..":
		name = "%" + strings.ToUpper(hex(owner[0])) + owner[1:]
	}
	return owners + name + "/"
}

func hex(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// Owner returns whose an object of the bucket of manifests is. The error is [fault.Usage]
// for a name outside of owners/<owner>/.
func Owner(object string) (string, error) {
	if err := objects.CleanName(object); err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(object, owners)
	name, _, more := strings.Cut(rest, "/")
	owner, err := url.PathUnescape(name)
	if name == anonymous {
		owner = ""
	}
	if !ok || !more || err != nil || Folder(owner) != owners+name+"/" {
		return "", fault.New(fault.Usage, "batch.Owner", "the object %.200q belongs to nobody; want a manifest below %s<owner>/", object, owners)
	}
	return owner, nil
}
