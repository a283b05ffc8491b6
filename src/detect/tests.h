/* The tests of the table: is this value one, or has it one somewhere? Each may rely on its row's gate. Internal to src/detect. */
#ifndef DETECT_TESTS_H
#define DETECT_TESTS_H

#include "detect/value.h"

/* secrets.c */
bool has_api_key(const struct value *v);
bool has_private_key(const struct value *v);
bool has_jwt(const struct value *v);
bool has_login(const struct value *v);
bool is_random_text(const struct value *v);

/* account.c */
bool is_card(const struct value *v);
bool has_card(const struct value *v);
bool is_iban(const struct value *v);
bool has_iban(const struct value *v);

/* contact.c */
bool is_email(const struct value *v);
bool has_email(const struct value *v);
bool is_phone(const struct value *v);
bool is_phone_digits(const struct value *v);
bool has_phone(const struct value *v);
bool is_ipv4(const struct value *v);
bool is_ipv6(const struct value *v);

/* person.c: what the field's name must say, too */
bool is_name_like(const struct value *v);
bool is_birth_date(const struct value *v);
bool is_number_like(const struct value *v);

/* ids_europe.c */
bool is_gb_nino(const struct value *v);
bool is_gb_nhs(const struct value *v);
bool is_de_tax_id(const struct value *v);
bool is_fr_nir(const struct value *v);
bool is_es_dni(const struct value *v);
bool is_it_codice_fiscale(const struct value *v);
bool is_nl_bsn(const struct value *v);
bool is_be_national(const struct value *v);
bool is_se_personnummer(const struct value *v);
bool is_fi_hetu(const struct value *v);
bool is_dk_cpr(const struct value *v);
bool is_no_fodselsnummer(const struct value *v);
bool is_pl_pesel(const struct value *v);
bool is_cz_rodne_cislo(const struct value *v);
bool is_ro_cnp(const struct value *v);
bool is_hr_oib(const struct value *v);
bool is_ch_ahv(const struct value *v);
bool is_at_svnr(const struct value *v);
bool is_pt_nif(const struct value *v);
bool is_ie_pps(const struct value *v);

/* ids_world.c */
bool is_us_ssn(const struct value *v);
bool has_us_ssn(const struct value *v);
bool is_ca_sin(const struct value *v);
bool is_br_cpf(const struct value *v);
bool is_cl_rut(const struct value *v);
bool is_mx_curp(const struct value *v);
bool is_in_aadhaar(const struct value *v);
bool is_in_pan(const struct value *v);
bool is_cn_resident(const struct value *v);
bool is_kr_resident(const struct value *v);
bool is_jp_my_number(const struct value *v);
bool is_za_id(const struct value *v);
bool is_au_tfn(const struct value *v);
bool is_tr_kimlik(const struct value *v);
bool is_sg_nric(const struct value *v);

#endif
