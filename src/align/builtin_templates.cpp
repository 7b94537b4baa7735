#include "align/builtin_templates.h"

namespace fathom {
namespace {

// As DeepSeek LLM's chat models were trained. The answer's first token carries the space
// behind "Assistant:".
constexpr std::string_view deepseek = R"({{ bos_token }}
{%- for message in messages %}
  {%- if message.role in ['system', 'developer'] %}
    {{- message.content + '\n\n' }}
  {%- elif message.role == 'user' %}
    {{- 'User: ' + message.content + '\n\n' }}
  {%- elif message.role == 'assistant' and not message.tool_calls %}
    {{- 'Assistant:' }}
    {%- generation %}
      {{- ' ' + message.content + eos_token }}
    {%- endgeneration %}
  {%- else %}
    {{- raise_exception('the template deepseek has no tools') }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- 'Assistant:' }}
{%- endif %})";

constexpr std::string_view chatml = R"(
{%- for message in messages %}
  {{- '<|im_start|>' + message.role + '\n' }}
  {%- if message.role == 'tool' or message.tool_calls %}
    {{- raise_exception('the template chatml has no tools') }}
  {%- elif message.role == 'assistant' %}
    {%- generation %}
      {{- message.content + '<|im_end|>' }}
    {%- endgeneration %}
  {%- else %}
    {{- message.content + '<|im_end|>' }}
  {%- endif %}
  {{- '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\n' }}
{%- endif %})";

// Texts one after the other: prompts and completions without any roles.
constexpr std::string_view plain = R"({{ bos_token }}
{%- for message in messages %}
  {%- if message.role == 'tool' or message.tool_calls %}
    {{- raise_exception('the template plain has no tools') }}
  {%- elif message.role == 'assistant' %}
    {%- generation %}
      {{- message.content + eos_token }}
    {%- endgeneration %}
  {%- else %}
    {{- message.content }}
  {%- endif %}
{%- endfor %})";

}  // namespace

std::string_view builtin_template(std::string_view name) {
  if (name == "deepseek") return deepseek;
  if (name == "chatml") return chatml;
  if (name == "plain") return plain;
  return {};
}

}  // namespace fathom
