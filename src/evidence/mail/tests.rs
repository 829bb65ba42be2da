//! What is the head of a mail, and what is none.

use super::*;

const TYPED: &str = "No! Please wait\n\n";

/// The head of a comment in which this one stands below what was typed.
fn head_below_typed(head: &str) -> Option<MailHead> {
    let text = format!("{TYPED}{head}\n\nEmergency-Approve: sre");
    head_of(&text, &lines(&text))
}

fn is_surely_one(head: &str) {
    // Where it is broken, it may be recognised by its second line alone.
    assert!(head_below_typed(head).is_some_and(|found| found.sure && (2..=3).contains(&found.at)), "{head}");
}

#[test]
fn what_clients_put_above_a_mail_is_a_head() {
    for head in [
        "________________________________\nFrom: releng1 (RelEng) <releng1@phab.example>\nSent: Friday\nTo: sre1",
        "________________________________\nVon: releng1\nGesendet: Freitag, 27. November 2026 03:14\nAn: sre1",
        "-----Ursprüngliche Nachricht-----\nVon: releng1",
        "-------- Weitergeleitete Nachricht --------\nBetreff: T1",
        "---------- Forwarded message ---------",
        "Am 27.11.2026 um 03:14 schrieb releng1 (RelEng) <releng1@phab.example>:",
        "Den fre. 27. nov. 2026 kl. 03.14 skrev releng1 <\nreleng1@phab.example>:",
        "Le ven. 27 nov. 2026 à 03:14, releng1 <releng1@phab.example> a écrit :",
        "El vie, 27 nov 2026, releng1\n<releng1@phab.example> escribió:",
        "From: releng1 <releng1@phab.example>\nDate: Friday\nTo: sre1",
        "*From:* releng1 <releng1@phab.example>\n*Sent:* Friday",
        "Fra: releng1\nSendt: 27. november 2026\nTil: sre1\nEmne: T1",
        "(NOTE) **Emergency deploy started** by `deployer1`",
        "NOTE: Emergency deploy finished: succeeded by deployer1",
        "**Deploy started** by `deployer1`, approved by `releng1`",
        "WARNING: Deploy ended, outcome unknown 2026-11-23 03:14 UTC.",
        "From: releng1 Sent: Friday, November 27, 2026 03:14 To: sre1 Subject: T1",
        "From:\nreleng1\nSent:\nFriday\nTo:\nsre1",
        "**From:** releng1\n\n**Sent:** Friday\n\n**To:** sre1",
        "\u{200e}From: releng1\u{200e}\nSent: Friday",
        "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐",
        "--- Original message ---",
        "=== Original Message ===",
        "---- On Fri, 27 Nov 2026 03:14:00 +0000 releng1 wrote ----",
        "\"releng1\" ---2026/11/27 03:14:00---\"Please approve",
    ]
    .map(|head| head.strip_suffix("\"Please approve").unwrap_or(head))
    {
        is_surely_one(head);
    }
}

/// The four lines by which Outlook and others head a mail, in the languages that they ship in.
#[test]
fn a_block_of_fields_is_a_head_in_every_language_without_an_address_too() {
    for [from, sent, to, subject] in [
        ["From:", "Sent:", "To:", "Subject:"],
        ["From:", "Date:", "To:", "Subject:"],
        ["Von:", "Gesendet:", "An:", "Betreff:"],
        ["De :", "Envoyé :", "À :", "Objet :"],
        ["De\u{a0}:", "Date\u{a0}:", "À\u{a0}:", "Objet\u{a0}:"],
        ["De:", "Enviado el:", "Para:", "Asunto:"],
        ["Da:", "Inviato:", "A:", "Oggetto:"],
        ["Van:", "Verzonden:", "Aan:", "Onderwerp:"],
        ["De:", "Enviada em:", "Para:", "Assunto:"],
        ["De:", "Enviat:", "Per a:", "Assumpte:"],
        ["Od:", "Wysłane:", "Do:", "Temat:"],
        ["Od:", "Odesláno:", "Komu:", "Předmět:"],
        ["Od:", "Odoslané:", "Komu:", "Predmet:"],
        ["Od:", "Poslano:", "Za:", "Zadeva:"],
        ["Šalje:", "Poslano:", "Prima:", "Predmet:"],
        ["Feladó:", "Elküldve:", "Címzett:", "Tárgy:"],
        ["Kimden:", "Gönderildi:", "Kime:", "Konu:"],
        ["Från:", "Skickat:", "Till:", "Ämne:"],
        ["Fra:", "Sendt:", "Til:", "Emne:"],
        ["Lähettäjä:", "Lähetetty:", "Vastaanottaja:", "Aihe:"],
        ["Frá:", "Dagsetning:", "Til:", "Efni:"],
        ["От:", "Отправлено:", "Кому:", "Тема:"],
        ["Від:", "Надіслано:", "Кому:", "Тема:"],
        ["От:", "Изпратено:", "До:", "Относно:"],
        ["Од:", "Послато:", "За:", "Предмет:"],
        ["De la:", "Trimis:", "Către:", "Subiect:"],
        ["Από:", "Στάλθηκε:", "Προς:", "Θέμα:"],
        ["Saatja:", "Saadetud:", "Adressaat:", "Teema:"],
        ["No:", "Nosūtīts:", "Kam:", "Tēma:"],
        ["Nuo:", "Išsiųsta:", "Kam:", "Tema:"],
        ["Nork:", "Bidalia:", "Nori:", "Gaia:"],
        ["Dari:", "Dikirim:", "Kepada:", "Perihal:"],
        ["Từ:", "Đã gửi:", "Tới:", "Chủ đề:"],
        ["差出人:", "送信日時:", "宛先:", "件名:"],
        ["差出人：", "日時：", "宛先：", "件名："],
        ["发件人：", "发送时间：", "收件人：", "主题："],
        ["寄件者：", "寄件日期：", "收件者：", "主旨："],
        ["보낸 사람:", "보낸 날짜:", "받는 사람:", "제목:"],
        ["จาก:", "ส่ง:", "ถึง:", "เรื่อง:"],
        ["מאת:", "נשלח:", "אל:", "נושא:"],
        ["من:", "تم الإرسال:", "إلى:", "الموضوع:"],
        ["از:", "تاریخ:", "به:", "موضوع:"],
        ["प्रेषक:", "दिनांक:", "प्रति:", "विषय:"],
        ["| 发件人 |", "| 日期 |", "| 收件人 |", "| 主题 |"],
    ] {
        let whole = format!("{from} releng1\n{sent} 27.11.2026 03:14\n{to} sre1\n{subject} T1");
        is_surely_one(&whole);
        is_surely_one(&format!("{from} releng1\n{sent} 27.11.2026 03:14"));
        is_surely_one(&format!("{from} releng1\n{subject} T1"));
        is_surely_one(&whole.to_uppercase());
    }
}

/// The line by which Gmail, Apple Mail, Thunderbird and others head a mail, without an address.
#[test]
fn a_line_that_says_who_wrote_when_is_a_head_in_every_language() {
    for introduction in [
        "On Fri, 27 Nov 2026 at 03:14, releng1 wrote:",
        "On 11/27/26 03:14, releng1 (Release Engineering) wrote:",
        "Am Fr., 27. Nov. 2026 schrieb releng1 (RelEng):",
        "Am 27.11.26 um 03:14 schrieb releng1:",
        "releng1 schrieb am 27.11.26 um 03:14:",
        "Am 27.11.2026 hat releng1 geschrieben:",
        "Le ven. 27 nov. 2026 à 03:14, releng1 a écrit :",
        "Le ven. 27 nov. 2026 à 03:14, releng1 a écrit\u{a0}:",
        "El vie, 27 nov 2026 a las 3:14, releng1 escribió:",
        "Il giorno ven 27 nov 2026 alle ore 03:14 releng1 ha scritto:",
        "Op vr 27 nov 2026 om 03:14 schreef releng1:",
        "Em sex., 27 de nov. de 2026 às 03:14, releng1 escreveu:",
        "El dv., 27 de nov. 2026, releng1 va escriure:",
        "O 27/11/26 ás 03:14, releng1 escribiu:",
        "W dniu 27.11.2026 o 03:14, releng1 pisze:",
        "pt., 27 lis 2026 o 03:14 releng1 napisał(a):",
        "Dne 27. 11. 26 v 03:14 releng1 napsal(a):",
        "Dňa 27. 11. 2026 o 3:14 releng1 napísal(a):",
        "V V pet., 27. nov. 2026 ob 03:14 je oseba releng1 napisala:",
        "Dana 27. 11. 2026. u 03:14, releng1 je napisao/la:",
        "releng1 ezt írta (időpont: 2026. nov. 27., P, 3:14):",
        "2026. 11. 27. 3:14 keltezéssel, releng1 írta:",
        "releng1, 27 Kas 2026 Cum, 03:14 tarihinde şunu yazdı:",
        "Den fre 27 nov. 2026 kl 03:14 skrev releng1:",
        "Den 27.11.2026 kl. 03.14, skrev releng1:",
        "pe 27. marrask. 2026 klo 3.14 releng1 kirjoitti:",
        "Þann fös., 27. nóv. 2026 kl. 03:14 skrifaði releng1:",
        "пт, 27 нояб. 2026 г. в 03:14, releng1:\u{202c}",
        "27.11.2026 3:14, releng1 пишет:",
        "пт, 27 лист. 2026 р. о 03:14 releng1 пише:",
        "На пт, 27.11.2026 г. в 3:14 releng1 написа:",
        "Pe vin., 27 nov. 2026 la 03:14, releng1 a scris:",
        "Στις Παρ 27 Νοε 2026 στις 3:14 π.μ., ο χρήστης releng1 έγραψε:",
        "Kirjutas 27.11.2026 03:14 releng1:",
        "releng1 kirjutas kuupäeval R, 27. november 2026 kell 03:14:",
        "piektd., 2026. g. 27. nov., plkst. 03:14 — lietotājs releng1 rakstīja:",
        "2026-11-27, pn, 03:14 releng1 rašė:",
        "Më pre, 27 nën 2026, releng1 shkroi:",
        "releng1 igorleak hau idatzi du (2026 aza. 27(a), or. (03:14)):",
        "Pada tanggal Jum, 27 Nov 2026 03.14, releng1 menulis:",
        "Vào Th 6, 27 thg 11, 2026 vào lúc 03:14 releng1 đã viết:",
        "2026年11月27日(金) 3:14 releng1さんは書きました：",
        "releng1 于2026年11月27日周五 03:14写道：",
        "在 2026/11/27 3:14, releng1 写道:",
        "releng1 於 2026年11月27日 週五 上午3:14寫道：",
        "2026년 11월 27일 (금) 오전 3:14, releng1님이 작성:",
        "26. 11. 27. 03:14에 releng1 이(가) 쓴 글:",
        "เมื่อ ศ. 27 พ.ย. 2569 เวลา 03:14 releng1 เขียนว่า:",
        "\u{202b}בתאריך יום ו׳, 27 בנוב׳ 2026 ב-3:14 כתב releng1:\u{202c}",
        "في الجمعة، 27 نوفمبر 2026 في 3:14 ص، كتب releng1:",
        "شنبه ۲۷ نوامبر ۲۰۲۶، releng1 نوشت:",
        "शुक्र, 27 नव॰ 2026 को 03:14 बजे releng1 ने लिखा:",
    ] {
        assert_eq!(head_below_typed(introduction).map(|head| head.at), Some(2), "{introduction}");
        let words: Vec<&str> = introduction.split(' ').collect();
        for at in 1..words.len().min(4) {
            let (first, rest) = words.split_at(words.len() - at);
            let broken = format!("{}\n{}", first.join(" "), rest.join(" "));
            assert!(head_below_typed(&broken).is_some_and(|head| head.at <= 3), "{broken}");
        }
    }
    is_surely_one("On Fri, 27 Nov 2026 at\n03:14, releng1\nwrote:");
}

#[test]
fn what_says_that_a_message_is_passed_on_or_the_original_is_a_head() {
    for head in [
        "Begin forwarded message:",
        "Anfang der weitergeleiteten Nachricht:",
        "Début du message réexpédié :",
        "Début du message transféré :",
        "Inicio del mensaje reenviado:",
        "Inizio messaggio inoltrato:",
        "Begin doorgestuurd bericht:",
        "Início da mensagem encaminhada:",
        "Početak proslijeđene poruke:",
        "Začátek přeposílané zprávy:",
        "Začiatok preposlanej správy:",
        "Początek przekazywanej wiadomości:",
        "Továbbított levél kezdete:",
        "Start på videresendt besked:",
        "Videresendt melding:",
        "Vidarebefordrat mejl:",
        "Välitetty viesti alkaa:",
        "Начало переадресованного сообщения:",
        "Початок листа, що пересилається:",
        "Începe mesajul redirecționat:",
        "転送されたメッセージ:",
        "下面是被转发的邮件：",
        "以下是轉寄的郵件：",
        "전달된 메시지:",
    ] {
        is_surely_one(head);
    }
    for words in [
        "Original Message",
        "Ursprüngliche Nachricht",
        "Message original",
        "Mensaje original",
        "Messaggio originale",
        "Oorspronkelijk bericht",
        "Mensagem original",
        "Missatge original",
        "Oprindelig meddelelse",
        "Opprinnelig melding",
        "Ursprungligt meddelande",
        "Alkuperäinen viesti",
        "Původní zpráva",
        "Pôvodná správa",
        "Wiadomość oryginalna",
        "Eredeti üzenet",
        "Özgün İleti",
        "Orijinal Mesaj",
        "Исходное сообщение",
        "Початкове повідомлення",
        "Оригинално писмо",
        "Mesajul original",
        "Αρχικό μήνυμα",
        "Izvorna poruka",
        "Izvirno sporočilo",
        "Algne kiri",
        "Originalus laiškas",
        "Upprunalegur póstur",
        "Thư Gốc",
        "Pesan Asli",
        "原始邮件",
        "原始郵件",
        "元のメッセージ",
        "원본 메시지",
        "הודעה מקורית",
        "الرسالة الأصلية",
        "Weitergeleitete Nachricht",
        "Message transféré",
        "Mensaje reenviado",
        "Messaggio inoltrato",
        "Mensagem encaminhada",
        "Videresendt meddelelse",
        "Vidarebefordrat meddelande",
        "Přeposlaná zpráva",
        "转发的消息",
        "回复的原邮件",
    ] {
        is_surely_one(&format!("-----{words}-----"));
        is_surely_one(&format!("--- {words} ---"));
        is_surely_one(&format!("_____ {words} _____"));
    }
}

#[test]
fn what_only_looks_like_a_head_is_not_surely_one() {
    for head in [
        "releng1 wrote:",
        "releng1 schrieb:",
        "releng1 写道：",
        "Qon 27.11.2026 03:14 releng1 qonpu':",
        "From: releng1\nTo: sre1",
        "Von: releng1\nAufgabe: T1\nStand: offen",
        "To: sre1\nSubject: T1",
    ] {
        assert_eq!(head_below_typed(head), Some(MailHead { at: 2, sure: false }), "{head}");
    }
}

#[test]
fn a_head_begins_as_late_as_it_can() {
    let text = "Emergency-Approve: sre\nreleng1 <releng1@phab.example>:\n\nEmergency-Approve: releng";
    assert_eq!(quoted_from(text), Some(1));
    let text = "Fine by me\nAm 27.11.2026 um 03:14 schrieb releng1:\n\nEmergency-Approve: releng";
    assert_eq!(quoted_from(text), Some(1));
}

#[test]
fn a_mail_below_no_known_head_leaves_the_first_paragraph() {
    let mail =
        "Am Freitag schrieb releng1\n\nEmergency-Approve: sre\n\nhttp://phab.example/settings/panel/emailpreferences/";
    assert_eq!(quoted_from(&format!("No!\n\n{mail}")), Some(1));
    assert_eq!(quoted_from(mail), Some(1));
}

#[test]
fn what_people_write_is_no_head() {
    for text in [
        "Deploy succeeded, thanks!",
        "Emergency-Approve: sre\nEmergency-Reject: releng - mail <a@b>",
        "Ask <sre1@phab.example> first.\nEmergency-Approve: sre",
        "Risk: low\nPlan: roll back\nEmergency-Approve: sre",
        "---\nEmergency-Approve: sre",
        "A heading\n-----\nEmergency-Approve: sre",
        "```\nFrom: a <a@b>\nTo: c <c@d>\n```\nEmergency-Approve: sre",
        "> Am 27.11. schrieb <a@b>:\n\nEmergency-Approve: sre",
        "It is down since 03:14: look at <https://a.example/@x>\nEmergency-Approve: sre",
        "Signed-off-by: sre1 <sre1@phab.example>\nReviewed-by: sre2 <sre2@phab.example>\nEmergency-Approve: sre",
        "Bug: T1\nChange-Id: I0123456789\nEmergency-Approve: sre",
        "Emergency-Reason: availability - x\nEmergency-Change: I1234\nEmergency-Approve: sre",
        "Status at 03:14:\n5xx is back to normal\n\nEmergency-Approve: sre",
        "2026-11-27 03:14 UTC:\n5xx is back to normal\n\nEmergency-Approve: sre",
        "From: 03:14 UTC\nTo: 03:50 UTC\n\nEmergency-Approve: sre",
        "Start: 2026-11-27 03:14\nImpact: all wikis\nPlan: roll back\n\nEmergency-Approve: sre",
        "Date: 2026-11-27\nImpact: all wikis\n\nEmergency-Approve: sre",
        "The original error message was:\n```\n5xx\n```\nEmergency-Approve: sre",
        "== Original plan ==\nRoll back.\n\nEmergency-Approve: sre",
        "releng1 wrote:\n> please approve\n\nEmergency-Approve: sre",
        "I rewrote it as follows:\n\nEmergency-Approve: sre",
        "To do:\n- look at the graphs\n\nEmergency-Approve: sre",
        "My answer:\n\nEmergency-Approve: sre",
        "| Host | State |\n| db1 | down |\n\nEmergency-Approve: sre",
        "see https://logs.example/2026-11-27/03:14:\n\nEmergency-Approve: sre",
    ] {
        assert_eq!(quoted_from(text), None, "{text}");
    }
}
