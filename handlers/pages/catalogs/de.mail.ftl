# Briefe. Von jedem: Betreff (auch Überschrift), Absätze vor und nach dem Knopf, Knopf, und plain, der Brief ohne HTML,
# für sich geschrieben.

mail-clear = Oder öffnen Sie diese Adresse:
mail-foot = { $brand } schreibt das an { $to }, weil es um ein Konto dort geht.

mail-register-subject = Bestätigen Sie Ihre Adresse für { $brand }
mail-register-lead = Jemand, wahrscheinlich Sie, möchte mit dieser Adresse ein Konto bei { $brand }. Bestätigen Sie die Adresse, dann gehört es Ihnen.
mail-register-button = Adresse bestätigen
mail-register-after = Der Link gilt einmal und 24 Stunden lang. Wenn Sie es nicht waren, müssen Sie nichts tun: Es entsteht kein Konto.
mail-register-plain =
    Guten Tag,

    { mail-register-lead } Öffnen Sie dazu diesen Link:

    { $link }

    { mail-register-after }

mail-exists-subject = Sie haben schon ein Konto bei { $brand }
mail-exists-lead = Jemand, wahrscheinlich Sie, wollte mit dieser Adresse ein neues Konto bei { $brand }. Es gibt schon eines: Melden Sie sich damit an.
mail-exists-button = Anmelden
mail-exists-after =
    Passwort vergessen? Setzen Sie hier ein neues: { $more }

    Wenn Sie es nicht waren, müssen Sie nichts tun: Nichts hat sich geändert.
mail-exists-plain =
    Guten Tag,

    { mail-exists-lead }

    { $link }

    Passwort vergessen? Setzen Sie ein neues:

    { $more }

    Wenn Sie es nicht waren, müssen Sie nichts tun: Nichts hat sich geändert.

mail-recover-subject = Neues Passwort für { $brand }
mail-recover-lead = Jemand, wahrscheinlich Sie, möchte für { $email } ein neues Passwort setzen.
mail-recover-button = Neues Passwort setzen
mail-recover-after = Der Link gilt einmal und eine Stunde lang. Wenn Sie es nicht waren, müssen Sie nichts tun: Ihr Passwort bleibt.
mail-recover-plain =
    Guten Tag,

    { mail-recover-lead } Öffnen Sie dazu diesen Link:

    { $link }

    { mail-recover-after }

mail-password-changed-subject = Ihr Passwort wurde geändert
mail-password-changed-lead = Das Passwort Ihres Kontos { $email } bei { $brand } wurde am { $when } geändert. Alle anderen Sitzungen sind beendet.
mail-password-changed-button = Das war ich nicht
mail-password-changed-after = Wenn Sie es waren, ist nichts zu tun. Wenn nicht, setzen Sie sofort ein neues Passwort.
mail-password-changed-plain =
    Guten Tag,

    { mail-password-changed-lead }

    Wenn Sie es waren, ist nichts zu tun. Wenn nicht, setzen Sie sofort ein neues Passwort:

    { $link }

mail-email-confirm-subject = Bestätigen Sie Ihre neue Adresse
mail-email-confirm-lead = Das Konto { $email } bei { $brand } soll künftig diese Adresse haben: { $new_email }.
mail-email-confirm-button = Adresse bestätigen
mail-email-confirm-after = Der Link gilt einmal und 24 Stunden lang. Wenn Sie davon nichts wissen, müssen Sie nichts tun: Das Konto bleibt, wie es ist.
mail-email-confirm-plain =
    Guten Tag,

    { mail-email-confirm-lead } Öffnen Sie zur Bestätigung diesen Link:

    { $link }

    { mail-email-confirm-after }

mail-email-changed-old-subject = Ihre Adresse wurde geändert
mail-email-changed-old-lead = Ihr Konto bei { $brand } hatte die Adresse { $email }. Seit { $when } hat es eine andere: { $new_email }.
mail-email-changed-old-button = Rückgängig machen
mail-email-changed-old-after = Wenn Sie es waren, ist nichts zu tun. Wenn nicht, machen Sie es innerhalb von 7 Tagen rückgängig, und setzen Sie ein neues Passwort.
mail-email-changed-old-plain =
    Guten Tag,

    { mail-email-changed-old-lead }

    Wenn Sie es waren, ist nichts zu tun. Wenn nicht, machen Sie es innerhalb von 7 Tagen rückgängig:

    { $link }

    Setzen Sie danach ein neues Passwort.

mail-email-changed-new-subject = Das ist jetzt Ihre Adresse
mail-email-changed-new-lead = Ihr Konto bei { $brand } hat jetzt die Adresse { $new_email }. Melden Sie sich künftig damit an.
mail-email-changed-new-button = Zu Ihrem Konto
mail-email-changed-new-after = Auch Ihre alte Adresse weiß davon. Dort lässt es sich 7 Tage lang rückgängig machen.
mail-email-changed-new-plain =
    Guten Tag,

    { mail-email-changed-new-lead }

    { $link }

    { mail-email-changed-new-after }

mail-deletion-begun-subject = Ihr Konto wird am { $when } gelöscht
mail-deletion-begun-lead = Für Ihr Konto { $email } bei { $brand } wurde die Löschung verlangt. Bis zum { $when } können Sie es behalten: Melden Sie sich an, dann bleibt es, wie es war.
mail-deletion-begun-button = Konto behalten
mail-deletion-begun-after = Wenn Sie das nicht verlangt haben, behalten Sie das Konto, und setzen Sie ein neues Passwort.
mail-deletion-begun-plain =
    Guten Tag,

    { mail-deletion-begun-lead }

    { $link }

    { mail-deletion-begun-after }

mail-deletion-done-subject = Ihr Konto ist gelöscht
mail-deletion-done-lead = Ihr Konto { $email } bei { $brand } und alles, was dazugehörte, ist gelöscht. Das ist unsere letzte Nachricht an Sie.
mail-deletion-done-after = Das Sicherheitsprotokoll behält, was geschehen ist, ohne Ihren Namen und Ihre Adresse.
mail-deletion-done-plain =
    Guten Tag,

    { mail-deletion-done-lead }

    { mail-deletion-done-after }

mail-setup-subject = Richten Sie Ihr Konto bei { $brand } ein
mail-setup-lead = Bei { $brand } wurde ein Konto für { $email } angelegt. Wählen Sie ein Passwort, dann gehört es Ihnen.
mail-setup-button = Passwort wählen
mail-setup-after = Der Link gilt einmal und 24 Stunden lang. Wenn Sie das nicht erwartet haben, müssen Sie nichts tun.
mail-setup-plain =
    Guten Tag,

    { mail-setup-lead } Öffnen Sie dazu diesen Link:

    { $link }

    { mail-setup-after }

mail-new-sign-in-subject = Neue Anmeldung bei Ihrem Konto
mail-new-sign-in-lead = Jemand hat sich am { $when } bei Ihrem Konto { $email } bei { $brand } angemeldet: { $device }.
mail-new-sign-in-button = Sitzungen ansehen
mail-new-sign-in-after = Wenn Sie es waren, ist nichts zu tun. Wenn nicht, beenden Sie diese Sitzung, und setzen Sie ein neues Passwort.
mail-new-sign-in-plain =
    Guten Tag,

    { mail-new-sign-in-lead }

    Wenn Sie es waren, ist nichts zu tun. Wenn nicht, beenden Sie diese Sitzung, und setzen Sie ein neues Passwort:

    { $link }
