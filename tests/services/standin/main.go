// A stand-in for Terraform providers that cannot be built here: it knows their resources from a description ($STANDIN_SCHEMA) and
// keeps what it is given, so that a configuration can be validated, planned and applied without an account.
//
// Computed attributes get made-up values. One resource is real: local_sensitive_file writes its file.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-plugin-sdk/v2/plugin"
)

// One attribute, or, with Block, a nested block.
type attribute struct {
	Type      string               `json:"type"`
	Required  bool                 `json:"required"`
	Optional  bool                 `json:"optional"`
	Computed  bool                 `json:"computed"`
	Sensitive bool                 `json:"sensitive"`
	Many      bool                 `json:"many"`
	Block     map[string]attribute `json:"block"`
}

type description struct {
	Provider  map[string]attribute            `json:"provider"`
	Resources map[string]map[string]attribute `json:"resources"`
}

var kinds = map[string]schema.ValueType{"string": schema.TypeString, "number": schema.TypeInt, "bool": schema.TypeBool,
	"map": schema.TypeMap, "list": schema.TypeList}

func convert(attributes map[string]attribute) map[string]*schema.Schema {
	made := map[string]*schema.Schema{}
	for name, a := range attributes {
		s := &schema.Schema{Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive}
		if a.Block != nil {
			s.Type, s.Elem = schema.TypeList, &schema.Resource{Schema: convert(a.Block)}
			if !a.Many {
				s.MaxItems = 1
			}
		} else {
			s.Type = kinds[a.Type]
			if a.Type == "map" || a.Type == "list" {
				s.Elem = &schema.Schema{Type: schema.TypeString}
			}
		}
		made[name] = s
	}
	return made
}

func invent(name, id string) string {
	switch name {
	case "bootstrap_endpoint":
		return "SASL_SSL://" + id + ".stand-in.invalid:9092"
	case "rest_endpoint":
		return "https://" + id + ".stand-in.invalid:443"
	case "secret":
		return "s3cr3t/+%==" + id
	}
	return name + "-of-" + id
}

func create(kind string, attributes map[string]attribute) schema.CreateContextFunc {
	return func(_ context.Context, d *schema.ResourceData, _ interface{}) diag.Diagnostics {
		random := make([]byte, 4)
		if _, err := rand.Read(random); err != nil {
			return diag.FromErr(err)
		}
		d.SetId(kind + "-" + hex.EncodeToString(random))
		for name, a := range attributes {
			if a.Computed && a.Type == "string" && d.Get(name) == "" {
				if err := d.Set(name, invent(name, d.Id())); err != nil {
					return diag.FromErr(err)
				}
			}
		}
		if kind != "local_sensitive_file" {
			return nil
		}
		mode, err := strconv.ParseUint(d.Get("file_permission").(string), 8, 32)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(d.Get("filename").(string)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(d.Get("filename").(string), []byte(d.Get("content").(string)), os.FileMode(mode))
		}
		return diag.FromErr(err)
	}
}

func nothing(context.Context, *schema.ResourceData, interface{}) diag.Diagnostics { return nil }

func main() {
	var all map[string]description // by provider; which one this process is says its name, terraform-provider-NAME_vVERSION
	name := strings.Split(strings.TrimPrefix(filepath.Base(os.Args[0]), "terraform-provider-"), "_")[0]
	text, err := os.ReadFile(os.Getenv("STANDIN_SCHEMA"))
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	found, known := all[name]
	if err != nil || !known {
		log.Fatalf("no description of provider %q: %v", name, err)
	}
	p := &schema.Provider{Schema: convert(found.Provider), ResourcesMap: map[string]*schema.Resource{}}
	for name, attributes := range found.Resources {
		p.ResourcesMap[name] = &schema.Resource{Schema: convert(attributes), CreateContext: create(name, attributes),
			ReadContext: nothing, UpdateContext: nothing, DeleteContext: nothing}
	}
	plugin.Serve(&plugin.ServeOpts{ProviderFunc: func() *schema.Provider { return p }})
}
