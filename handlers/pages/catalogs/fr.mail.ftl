# Lettres. De chacune : objet (aussi son titre), paragraphes avant et après le bouton, bouton, et plain, la lettre sans
# HTML, écrite pour elle-même.

mail-clear = Ou ouvrez cette adresse :
mail-foot = { $brand } écrit ceci à { $to }, car il s’agit d’un compte chez nous.

mail-register-subject = Confirmez votre adresse pour { $brand }
mail-register-lead = Quelqu’un, sans doute vous, souhaite un compte chez { $brand } avec cette adresse. Confirmez-la, et le compte est à vous.
mail-register-button = Confirmer l’adresse
mail-register-after = Le lien sert une fois, pendant 24 heures. Si ce n’était pas vous, ne faites rien : aucun compte n’est créé.
mail-register-plain =
    Bonjour,

    { mail-register-lead } Pour confirmer, ouvrez ce lien :

    { $link }

    { mail-register-after }

mail-exists-subject = Vous avez déjà un compte chez { $brand }
mail-exists-lead = Quelqu’un, sans doute vous, a demandé un nouveau compte chez { $brand } avec cette adresse. Il en existe déjà un : connectez-vous avec lui.
mail-exists-button = Se connecter
mail-exists-after =
    Mot de passe oublié ? Choisissez-en un nouveau ici : { $more }

    Si ce n’était pas vous, ne faites rien : rien n’a changé.
mail-exists-plain =
    Bonjour,

    { mail-exists-lead }

    { $link }

    Mot de passe oublié ? Choisissez-en un nouveau :

    { $more }

    Si ce n’était pas vous, ne faites rien : rien n’a changé.

mail-recover-subject = Nouveau mot de passe pour { $brand }
mail-recover-lead = Quelqu’un, sans doute vous, a demandé à choisir un nouveau mot de passe pour { $email }.
mail-recover-button = Choisir un nouveau mot de passe
mail-recover-after = Le lien sert une fois, pendant une heure. Si ce n’était pas vous, ne faites rien : votre mot de passe reste.
mail-recover-plain =
    Bonjour,

    { mail-recover-lead } Pour le faire, ouvrez ce lien :

    { $link }

    { mail-recover-after }

mail-password-changed-subject = Votre mot de passe a été changé
mail-password-changed-lead = Le mot de passe de votre compte { $email } chez { $brand } a été changé le { $when }. Toutes les autres sessions sont terminées.
mail-password-changed-button = Ce n’était pas moi
mail-password-changed-after = Si c’était vous, il n’y a rien à faire. Sinon, choisissez tout de suite un nouveau mot de passe.
mail-password-changed-plain =
    Bonjour,

    { mail-password-changed-lead }

    Si c’était vous, il n’y a rien à faire. Sinon, choisissez tout de suite un nouveau mot de passe :

    { $link }

mail-email-confirm-subject = Confirmez votre nouvelle adresse
mail-email-confirm-lead = Le compte { $email } chez { $brand } doit désormais avoir cette adresse : { $new_email }.
mail-email-confirm-button = Confirmer l’adresse
mail-email-confirm-after = Le lien sert une fois, pendant 24 heures. Si vous n’en savez rien, ne faites rien : le compte reste tel qu’il est.
mail-email-confirm-plain =
    Bonjour,

    { mail-email-confirm-lead } Pour confirmer, ouvrez ce lien :

    { $link }

    { mail-email-confirm-after }

mail-email-changed-old-subject = Votre adresse a été changée
mail-email-changed-old-lead = Votre compte chez { $brand } avait l’adresse { $email }. Depuis le { $when } il en a une autre : { $new_email }.
mail-email-changed-old-button = Revenir en arrière
mail-email-changed-old-after = Si c’était vous, il n’y a rien à faire. Sinon, revenez en arrière dans les 7 jours, puis choisissez un nouveau mot de passe.
mail-email-changed-old-plain =
    Bonjour,

    { mail-email-changed-old-lead }

    Si c’était vous, il n’y a rien à faire. Sinon, revenez en arrière dans les 7 jours :

    { $link }

    Choisissez ensuite un nouveau mot de passe.

mail-email-changed-new-subject = Voici votre adresse désormais
mail-email-changed-new-lead = Votre compte chez { $brand } a maintenant l’adresse { $new_email }. Connectez-vous désormais avec elle.
mail-email-changed-new-button = Aller à votre compte
mail-email-changed-new-after = Nous avons aussi prévenu l’ancienne adresse. Elle peut annuler le changement pendant 7 jours.
mail-email-changed-new-plain =
    Bonjour,

    { mail-email-changed-new-lead }

    { $link }

    { mail-email-changed-new-after }

mail-deletion-begun-subject = Votre compte sera effacé le { $when }
mail-deletion-begun-lead = La suppression de votre compte { $email } chez { $brand } a été demandée. Jusqu’au { $when } vous pouvez le garder : connectez-vous, et il reste tel qu’il était.
mail-deletion-begun-button = Garder le compte
mail-deletion-begun-after = Si ce n’est pas vous qui l’avez demandée, gardez le compte et choisissez un nouveau mot de passe.
mail-deletion-begun-plain =
    Bonjour,

    { mail-deletion-begun-lead }

    { $link }

    { mail-deletion-begun-after }

mail-deletion-done-subject = Votre compte est effacé
mail-deletion-done-lead = Votre compte { $email } chez { $brand } et tout ce qui en faisait partie sont effacés. C’est notre dernier message.
mail-deletion-done-after = Le journal de sécurité garde ce qui s’est passé, sans votre nom ni votre adresse.
mail-deletion-done-plain =
    Bonjour,

    { mail-deletion-done-lead }

    { mail-deletion-done-after }

mail-setup-subject = Préparez votre compte chez { $brand }
mail-setup-lead = Un compte chez { $brand } a été créé pour { $email }. Choisissez un mot de passe, et il est à vous.
mail-setup-button = Choisir un mot de passe
mail-setup-after = Le lien sert une fois, pendant 24 heures. Si vous ne vous y attendiez pas, ne faites rien.
mail-setup-plain =
    Bonjour,

    { mail-setup-lead } Pour le faire, ouvrez ce lien :

    { $link }

    { mail-setup-after }

mail-new-sign-in-subject = Nouvelle connexion à votre compte
mail-new-sign-in-lead = Quelqu’un s’est connecté à votre compte { $email } chez { $brand } le { $when } : { $device }.
mail-new-sign-in-button = Voir vos sessions
mail-new-sign-in-after = Si c’était vous, il n’y a rien à faire. Sinon, terminez cette session et choisissez un nouveau mot de passe.
mail-new-sign-in-plain =
    Bonjour,

    { mail-new-sign-in-lead }

    Si c’était vous, il n’y a rien à faire. Sinon, terminez cette session et choisissez un nouveau mot de passe :

    { $link }
