// Package settings reads what an operator says, where it is alike on one machine and in the
// cloud.
package settings

import (
	"context"
	"errors"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Read reads environment variables into the struct that target points at. A field has the
// tags env (as package envconfig takes it), needs (the parts of the service that cannot do
// without it, with commas between) and doc (what it is). The error is [fault.Usage] and
// names every variable that cannot be read or that part needs and that is not set.
func Read(ctx context.Context, target any, part string, variables envconfig.Lookuper) error {
	var errs []error
	fields := reflect.ValueOf(target).Elem()
	for field, value := range fields.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		one := reflect.New(reflect.StructOf([]reflect.StructField{field})) // by itself, so that each error is found
		if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: one.Interface(), Lookuper: variables}); err != nil {
			errs = append(errs, fault.New(fault.Usage, "settings.Read", "%s (%s) cannot be read: %w", name, field.Tag.Get("doc"), err))
			continue
		}
		value.Set(one.Elem().Field(0))
		if value.IsZero() && slices.Contains(strings.Split(field.Tag.Get("needs"), ","), part) {
			errs = append(errs, fault.New(fault.Usage, "settings.Read", "%s is not set: want %s", name, field.Tag.Get("doc")))
		}
	}
	return errors.Join(errs...)
}

// Groups is [fault.Usage] if archives are for groups, given as NAME=GROUP, and the mode of
// authentication cannot tell who belongs to one: nobody would see them.
func Groups(mode string, groups []string) error {
	if len(groups) == 0 || auth.KnowsGroups(mode) {
		return nil
	}
	return fault.New(fault.Usage, "settings.Groups", "archives are for groups (%s), and mode %s does not know who belongs to them; want a mode that asks who it is, or no groups", strings.Join(groups, ", "), mode)
}

// PublicURL reads the URL under which clients reach the service. The error is [fault.Usage].
func PublicURL(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(raw, "/"))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fault.New(fault.Usage, "settings.PublicURL", "the public URL %q is not an absolute http or https URL without user name, ? and #", raw)
	case u.Path != "" && path.Clean(u.Path) != u.Path || strings.ContainsAny(u.Path, "{} %"):
		return nil, fault.New(fault.Usage, "settings.PublicURL", "the path of the public URL %q is not a plain one such as /cutouts", raw)
	}
	return u, nil
}
